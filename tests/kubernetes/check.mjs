// Judges what run.sh rendered into the folder that is the argument: the rules on each overlay and component, the chart against
// kustomize, and that each rule finds what it is for. Ends with "counts <passed> <failed>".
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { mutations } from './mutations.mjs';
import * as network from './network_rules.mjs';
import { load } from './objects.mjs';
import { parity } from './parity.mjs';
import * as pods from './pod_rules.mjs';

const { dashboardMistakes, readDashboard, ...networkRules } = network;
const rules = { ...pods, ...networkRules };
const [folder] = process.argv.slice(2);
let passed = 0;
let failed = 0;

function test(name, judge) {
    let mistakes;
    try {
        mistakes = judge();
    } catch (error) {
        mistakes = [error.stack];
    }
    if (mistakes.length === 0) passed++;
    else failed++;
    for (const mistake of mistakes) console.log(`kubernetes: ${name}: FAILED: ${mistake}`);
}

const rendered = readdirSync(folder).filter(file => file.endsWith('.yaml')).map(file => file.slice(0, -5));
const objectsOf = Object.fromEntries(rendered.map(name => [name, load(join(folder, `${name}.yaml`))]));

/** What a rule has to know of where the objects come from. */
function circumstances(name) {
    const component = name.replace('component-', '');
    return {
        isLocal: name.endsWith('local'),
        isSmall: !name.endsWith('prod'),
        opened: name.endsWith('everything') ? ['egress-http', 'egress-callbacks', 'egress-storage', 'egress-otlp'] : [component],
    };
}

for (const name of rendered) {
    // What a component with a Secret of somebody else's renders is judged without it.
    const objects = objectsOf[name].filter(one => one.kind !== 'Secret' || one.metadata.name !== 'keyvault-jobgate-api');
    for (const [rule, judge] of Object.entries(rules)) test(`${name}: ${rule}`, () => judge(objects, circumstances(name)));
}

for (const name of ['base', 'dev', 'prod', 'local', 'everything'])
    test(`the chart is like ${name}`, () =>
        parity(
            objectsOf[name].filter(one => one.metadata.name !== 'keyvault-jobgate-api'),
            objectsOf[`chart-${name}`],
        ));
test('the chart differs from another overlay', () => (parity(objectsOf.dev, objectsOf['chart-prod']).length ? [] : ['it does not']));
for (const name of ['dev', 'prod'])
    test(`${name}: what the platform says is where it belongs`, () => {
        const platform = load(`kubernetes/overlays/${name}/platform.yaml`)[0].data;
        const text = JSON.stringify(objectsOf[name]);
        return [
            ...Object.entries(platform).filter(([, value]) => !text.includes(value)).map(([key]) => `${key} is nowhere`),
            ...['"vault"', 'https://account.', 'https://vault.'].filter(one => text.includes(one)).map(one => `${one} was not replaced`),
            ...(objectsOf[name].some(one => one.metadata.name === 'platform') ? ['it is applied itself'] : []),
        ];
    });
test('the dashboard', () => dashboardMistakes(readDashboard()));

const seen = new Set();
for (const [what, rule, change] of mutations(objectsOf.prod))
    test(`the rule ${rule} finds: ${what}`, () => {
        const mutated = structuredClone(objectsOf.prod);
        change(mutated);
        seen.add(rule);
        return rules[rule](mutated, circumstances('prod')).length ? [] : ['it does not'];
    });
test('each rule was tried', () => Object.keys(rules).filter(rule => !seen.has(rule)));

console.log(`counts ${passed} ${failed}`);
