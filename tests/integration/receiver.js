// A receiver of callbacks, with the libraries that receivers use: standardwebhooks checks the signature, cloudevents the event.
// Prints "port N", and a line of JSON for each request. Secrets come as arguments. The path says what it answers:
// /status/N, /later (503 with Retry-After), /redirect, /once-broken (500 the first time), anything else 204.
'use strict';
const http = require('node:http');
const path = require('node:path');
const modules = path.join(__dirname, '..', 'node_modules');
const { Webhook } = require(path.join(modules, 'standardwebhooks'));
const { HTTP } = require(path.join(modules, 'cloudevents'));

const secrets = process.argv.slice(2);
let broken = 0;

function isSignedBy(secret, headers, body) {
    try {
        new Webhook(secret).verify(body, headers);
        return true;
    } catch {
        return false;
    }
}

function readEvent(headers, body) {
    try {
        const event = HTTP.toEvent({ headers, body });
        return event.validate() && JSON.parse(body);
    } catch (error) {
        return { error: String(error) };
    }
}

function answer(url, response) {
    const status = /^\/status\/(\d+)$/.exec(url);
    if (status) {
        response.writeHead(Number(status[1]));
    } else if (url === '/later') {
        response.writeHead(503, { 'Retry-After': '3600' });
    } else if (url === '/redirect') {
        response.writeHead(302, { Location: '/target' });
    } else {
        response.writeHead(url === '/once-broken' && broken++ === 0 ? 500 : 204);
    }
    response.end();
}

const server = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
        const body = Buffer.concat(chunks).toString('utf8');
        answer(request.url, response);
        console.log(JSON.stringify({
            url: request.url,
            method: request.method,
            id: request.headers['webhook-id'],
            traceparent: request.headers.traceparent,
            type: request.headers['content-type'],
            signatures: secrets.map((secret) => isSignedBy(secret, request.headers, body)),
            event: readEvent(request.headers, body),
        }));
    });
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
