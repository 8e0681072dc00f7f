// Shows /openapi.json and tries its operations. Text only ever becomes text nodes.
'use strict';

const byId = (id) => document.getElementById(id);

function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
        made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
}

// What a body looks like: required members first, then those whose form says enough.
function example(schema, contract, depth = 0) {
    if (schema.$ref) {
        return example(contract.components.schemas[schema.$ref.split('/').pop()], contract, depth + 1);
    }
    if (schema.enum) {
        return schema.enum[0];
    }
    if (schema.type === 'array') {
        return depth > 3 ? [] : [example(schema.items, contract, depth + 1)];
    }
    if (schema.type === 'object') {
        return Object.fromEntries((schema.required || []).map((name) => [name, example(schema.properties[name], contract, depth + 1)]));
    }
    return { integer: 1, number: 1, boolean: false }[schema.type] ?? (schema.pattern ? 'echo' : 'text');
}

function field(parameter) {
    const input = element('input', { name: parameter.name, 'data-in': parameter.in, placeholder: parameter.schema.type || '' });
    return element('tr', {},
        element('td', {}, element('code', {}, parameter.name), parameter.required ? ' (required)' : ''),
        element('td', {}, input), element('td', {}, parameter.description || ''));
}

function readFields(form, place) {
    return [...form.querySelectorAll(`input[data-in="${place}"]`)].filter((input) => input.value !== '');
}

function buildRequest(form, path, method, mediaType) {
    let target = path;
    for (const input of form.querySelectorAll('input[data-in="path"]')) {
        target = target.replace(`{${input.name}}`, encodeURIComponent(input.value));
    }
    const query = new URLSearchParams(readFields(form, 'query').map((input) => [input.name, input.value])).toString();
    const headers = Object.fromEntries(readFields(form, 'header').map((input) => [input.name, input.value]));
    const body = form.querySelector('textarea');
    if (byId('key').value) {
        headers.Authorization = `Bearer ${byId('key').value}`;
    }
    if (body && body.value) {
        headers['Content-Type'] = mediaType;
    }
    return [query ? `${target}?${query}` : target, { method: method.toUpperCase(), headers, body: body && body.value ? body.value : undefined }];
}

async function attempt(form, shown, path, method, mediaType) {
    const [target, options] = buildRequest(form, path, method, mediaType);
    shown.textContent = `${options.method} ${target}\n…`;
    try {
        const response = await fetch(target, options);
        const head = [...response.headers].map(([name, value]) => `${name}: ${value}`).join('\n');
        const text = await response.text();
        let body = text;
        try {
            body = JSON.stringify(JSON.parse(text), null, 2);
        } catch { /* it is no JSON, and shown as it is */ }
        shown.textContent = `${options.method} ${target}\n${response.status}\n${head}\n\n${body}`;
    } catch (error) {
        shown.textContent = `${options.method} ${target}\n${error}`;
    }
}

function showResponses(operation) {
    return element('table', {}, ...Object.entries(operation.responses).map(([status, response]) =>
        element('tr', {}, element('td', {}, element('code', {}, status)),
            element('td', {}, response.description || 'a problem (RFC 9457)'))));
}

function showOperation(contract, path, method, operation) {
    const form = element('form', {});
    const content = operation.requestBody ? operation.requestBody.content : {};
    const mediaType = content['application/json'] ? 'application/json' : 'text/plain';
    const answer = element('pre', { hidden: '' });
    if (operation.parameters) {
        form.append(element('table', {}, ...operation.parameters.map(field)));
    }
    if (operation.requestBody) {
        const schema = content['application/json'] && content['application/json'].schema;
        const area = element('textarea', { 'aria-label': 'body', spellcheck: 'false' });
        area.value = schema ? JSON.stringify(example(schema, contract), null, 2) : '';
        form.append(area);
    }
    form.append(element('button', { type: 'submit' }, 'Try it'));
    form.addEventListener('submit', (event) => {
        event.preventDefault();
        answer.hidden = false;
        attempt(form, answer, path, method, mediaType);
    });
    return element('details', { id: operation.operationId },
        element('summary', {}, element('span', { class: 'method' }, method.toUpperCase()), element('code', {}, path), ` ${operation.summary}`),
        element('div', {}, element('p', {}, operation.description || '', operation['x-scope'] ? ` Scope: ${operation['x-scope']}.` : ''),
            form, answer, element('h3', {}, 'Answers'), showResponses(operation)));
}

function show(contract) {
    const operations = byId('operations');
    operations.textContent = '';
    byId('about').textContent = `${contract.info.description} Version ${contract.info.version}.`;
    for (const tag of contract.tags) {
        operations.append(element('h2', {}, tag.name, ' ', element('small', {}, tag.description)));
        for (const [path, item] of Object.entries(contract.paths)) {
            for (const [method, operation] of Object.entries(item)) {
                if (operation.tags[0] === tag.name) {
                    operations.append(showOperation(contract, path, method, operation));
                }
            }
        }
    }
}

fetch('/openapi.json').then((response) => response.json()).then(show, (error) => {
    byId('operations').textContent = `The contract cannot be read: ${error}`;
});
