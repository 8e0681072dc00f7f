// Callers: they submit over connections that stay open, look at a job now and then, and wait for one now and then. Whatever is
// not the answer they expect is kept.
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export class Callers {
    ids = [];
    failures = [];
    latencies = [];
    answered = 0;
    #isStopped = false;
    #agent = new Agent({ keepAlive: true, maxSockets: 64 });

    constructor(url, perSecond, count = 16) {
        this.url = url;
        this.#loops = Array.from({ length: count }, (_, i) => this.#call((count * 1000) / perSecond, i));
    }

    #loops;

    async #call(everyMs, first) {
        await sleep((everyMs * first) / 16);
        for (let n = 0; !this.#isStopped; n++) {
            const begun = performance.now();
            await this.#once(n);
            await sleep(Math.max(0, everyMs - (performance.now() - begun)));
        }
    }

    async #once(n) {
        const known = this.ids[Math.floor(this.ids.length * 0.9)];
        if (n % 10 === 9 && known) {
            await this.expect('GET', `/v1/jobs/${known}`, undefined, {}, [200]);
            return;
        }
        // One in ten waits for the end: a drain has to wait for it too.
        const headers = n % 10 === 5 ? { Prefer: 'wait=3' } : {};
        const answer = await this.expect('POST', '/v1/jobs', { type: 'echo', payload: { n } }, headers, [202, 200]);
        if (answer?.id) this.ids.push(answer.id);
    }

    /** Sends; notes a failure when the status is another one, and returns undefined then. */
    async expect(method, path, body, headers, statuses) {
        const begun = performance.now();
        try {
            const { status, text } = await this.send(method, path, body, headers);
            this.answered++;
            this.latencies.push(performance.now() - begun);
            if (statuses.includes(status)) return JSON.parse(text);
            this.failures.push(`${method} ${path}: ${status} ${text.slice(0, 200)}`);
        } catch (error) {
            this.failures.push(`${method} ${path}: ${error.code ?? error}`);
        }
        return undefined;
    }

    send(method, path, body, headers = {}) {
        return new Promise((resolve, reject) => {
            const content = body === undefined ? undefined : JSON.stringify(body);
            const options = { method, agent: this.#agent, timeout: 60000 };
            options.headers = content ? { ...headers, 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(content) } : headers;
            const sent = request(this.url + path, options, answer => {
                let text = '';
                answer.setEncoding('utf8');
                answer.on('data', data => (text += data));
                answer.on('end', () => resolve({ status: answer.statusCode, text }));
                answer.on('error', reject);
            });
            sent.on('error', reject);
            sent.on('timeout', () => sent.destroy(new Error('no answer for 60 s')));
            sent.end(content);
        });
    }

    async stop() {
        this.#isStopped = true;
        await Promise.all(this.#loops);
        this.#agent.destroy();
    }
}
