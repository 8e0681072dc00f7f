// Holds what the tests got from an api against its contract: each answer has to be one that the contract names for the
// operation, with a body of the named form. Prints what does not fit, and "counts <good> <bad>".
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const modules = path.join(__dirname, '..', 'node_modules');
const Ajv = require(path.join(modules, 'ajv', 'dist', '2020'));
const addFormats = require(path.join(modules, 'ajv-formats'));

const [contractFile, answersFile] = process.argv.slice(2);
const contract = JSON.parse(fs.readFileSync(contractFile, 'utf8'));
const ajv = new Ajv({ strict: false, allErrors: false, validateFormats: true });
addFormats(ajv);
ajv.addSchema({ $id: 'contract', components: contract.components });

function patternOf(template) {
    const text = template.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{[^}]*\}/g, '[^/]+');
    return new RegExp(`^${text}$`);
}
const paths = Object.entries(contract.paths).map(([template, item]) => ({ template, item, pattern: patternOf(template) }))
    .sort((a, b) => (a.template.match(/\{/g) || []).length - (b.template.match(/\{/g) || []).length);

const validators = new Map();
function validator(reference) {
    if (!validators.has(reference)) {
        validators.set(reference, ajv.compile({ $ref: `contract${reference}` }));
    }
    return validators.get(reference);
}

// What is wrong with an answer, or null.
function judge(answer) {
    const target = answer.path.replace(/[?#].*/, '');
    const found = paths.find((one) => one.pattern.test(target));
    const method = answer.method === 'HEAD' ? 'get' : answer.method.toLowerCase();
    const operation = found && found.item[method];
    const isError = answer.status >= 400;
    if (!operation && !isError && answer.method !== 'OPTIONS') {
        return 'the contract has no such operation';
    }
    if (answer.method === 'OPTIONS' || (answer.method === 'HEAD' && !answer.body)) {
        return null;
    }
    if (isError) {
        if (answer.type !== 'application/problem+json') {
            return `an error of type "${answer.type}"`;
        }
        return check('#/components/schemas/Problem', answer);
    }
    const response = operation.responses[answer.status];
    if (!response) {
        return `the contract knows ${Object.keys(operation.responses).join(', ')} of ${operation.operationId}`;
    }
    const content = (response.content || {})['application/json'];
    return content && content.schema.$ref && answer.body ? check(content.schema.$ref, answer) : null;
}

function check(reference, answer) {
    if (!answer.body) {
        return null; // too long to be written down
    }
    const validate = validator(reference);
    return validate(JSON.parse(answer.body)) ? null : `${reference}: ${ajv.errorsText(validate.errors)}`;
}

let good = 0;
let bad = 0;
const told = new Set();
const covered = new Set();
for (const line of fs.readFileSync(answersFile, 'utf8').split('\n').filter(Boolean)) {
    const answer = JSON.parse(line);
    let fault;
    try {
        fault = judge(answer);
    } catch (error) {
        fault = String(error);
    }
    const found = paths.find((one) => one.pattern.test(answer.path.replace(/[?#].*/, '')));
    if (found && answer.status < 400) {
        covered.add(`${answer.method.toLowerCase()} ${found.template}`);
    }
    if (!fault) {
        good++;
        continue;
    }
    bad++;
    const text = `${answer.method} ${answer.path.slice(0, 80)} ${answer.status}: ${fault}`;
    if (!told.has(fault) && told.size < 40) {
        console.log(JSON.stringify(text), JSON.stringify((answer.body || '').slice(0, 300)));
        told.add(fault);
    }
}
for (const { template, item } of paths) {
    for (const method of Object.keys(item)) {
        if (template.startsWith('/v1/') && !covered.has(`${method} ${template}`)) {
            console.log(`no test got a good answer of ${method} ${template}`);
            bad++;
        }
    }
}
console.log(`answers held against the contract: ${good} fit, ${bad} do not`);
// Thousands of answers are one check each operation at the most.
console.log(`counts ${bad ? 0 : covered.size} ${bad}`);
