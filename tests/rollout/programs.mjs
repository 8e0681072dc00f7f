// The programs of a rehearsal: processes whose output is kept, a Redis, a HAProxy that is told who is behind it.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

export const started = new Set();

/** Starts a program; `exit` is the promise of its exit status, `log` the name of the file with its output. */
export function start(folder, name, command, args, environment = {}) {
    const log = `${folder}/${name}.log`;
    const output = openSync(log, 'w');
    const process_ = spawn(command, args, {
        stdio: ['ignore', output, output],
        env: { PATH: process.env.PATH, TMPDIR: process.env.TMPDIR ?? '/tmp', JOBGATE_TEST_RUN: process.env.JOBGATE_TEST_RUN ?? '', ...environment },
    });
    closeSync(output);
    const program = {
        name,
        log,
        kill: signal => process_.kill(signal),
        exit: once(process_, 'exit').then(([status, signal]) => signal ?? status),
    };
    started.add(process_);
    program.exit.then(() => started.delete(process_));
    return program;
}

export function killAll() {
    for (const one of started) one.kill('SIGKILL');
}

export async function until(what, condition, seconds = 60) {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
        const value = await condition();
        if (value) return value;
        if (Date.now() > deadline) throw new Error(`${what} does not come within ${seconds} s`);
        await sleep(50);
    }
}

export async function freePort() {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address();
    server.close();
    await once(server, 'close');
    return port;
}

/** Sends a line, returns what comes until the other side closes. */
async function ask(options, line) {
    const socket = createConnection(options);
    let text = '';
    socket.on('data', data => (text += data));
    socket.end(`${line}\n`);
    await once(socket, 'close');
    return text;
}

/** The member of the start-up line that says where a program listens; '' while there is none. */
export function address(program, member) {
    const line = readFileSync(program.log, 'utf8').split('\n').find(one => one.includes('"message":"listening"'));
    return line ? JSON.parse(line)[member] : '';
}

export async function startRedis(folder) {
    const port = await freePort();
    mkdirSync(`${folder}/redis`);
    start(folder, 'redis', 'redis-server', ['--port', port, '--bind', '127.0.0.1', '--dir', `${folder}/redis`, '--save', '', '--appendonly', 'yes']);
    await until('redis-server', () => ask({ host: '127.0.0.1', port }, 'PING').then(text => text.startsWith('+PONG'), () => false));
    return port;
}

/** A balancer with places for servers; it tries nothing twice, so that each failure is seen. */
export async function startBalancer(folder, places = 12) {
    const port = await freePort();
    const socket = `${folder}/haproxy.sock`;
    writeFileSync(
        `${folder}/haproxy.cfg`,
        `global
    stats socket ${socket} level admin
    maxconn 2000
defaults
    mode http
    retries 0
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend callers
    bind 127.0.0.1:${port}
    default_backend api
backend api
    balance roundrobin
    http-reuse always
    server-template api 1-${places} 127.0.0.1:1 disabled
`,
    );
    start(folder, 'haproxy', 'haproxy', ['-db', '-f', `${folder}/haproxy.cfg`]);
    await until('haproxy', () => ask(socket, 'show info').then(Boolean, () => false));
    const taken = new Map();
    const tell = async line => {
        const text = (await ask(socket, line)).trim();
        if (text && !/changed|no need to change/.test(text)) throw new Error(`haproxy: ${line}: ${text}`);
    };
    return {
        url: `http://127.0.0.1:${port}`,
        async add(server) {
            const place = [...Array(places).keys()].map(one => one + 1).find(one => ![...taken.values()].includes(one));
            taken.set(server, place);
            await tell(`set server api/api${place} addr 127.0.0.1 port ${server.split(':')[1]}`);
            await tell(`set server api/api${place} state ready`);
        },
        async remove(server) {
            if (!taken.has(server)) return;
            await tell(`set server api/api${taken.get(server)} state maint`);
            taken.delete(server);
        },
    };
}
