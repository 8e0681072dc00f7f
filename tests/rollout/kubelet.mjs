// Plays kubelet, Deployment controller and endpoints with the numbers of the manifests: a pod is a process here.
import { setTimeout as sleep } from 'node:timers/promises';
import { address, start, until } from './programs.mjs';

const get = async url => {
    try {
        const answer = await fetch(url, { signal: AbortSignal.timeout(2000) });
        await answer.arrayBuffer();
        return answer.ok;
    } catch {
        return false;
    }
};

/**
 * A Deployment. `numbers` are those of environment.mjs; `run(name)` starts a pod's process; `endpoints` is told who may be sent
 * work (add, remove), `lag()` says how many seconds later it hears of it.
 */
export class Deployment {
    pods = [];
    restarts = 0;
    killed = 0;
    statuses = [];
    #count = 0;

    constructor(name, numbers, run, endpoints, lag = () => 0) {
        Object.assign(this, { name, numbers, run, endpoints, lag });
    }

    get running() {
        return this.pods.filter(pod => !pod.isTerminating);
    }

    async #create() {
        const pod = { program: this.run(`${this.name}-${++this.#count}`), isReady: false, isTerminating: false, failures: 0 };
        this.pods.push(pod);
        pod.program.exit.then(status => {
            pod.hasEnded = true;
            if (!pod.isTerminating) this.restarts++;
            else this.statuses.push(status);
        });
        await until(`${this.name}: the start-up line`, () => address(pod.program, 'ops') || pod.hasEnded);
        pod.ops = `http://${address(pod.program, 'ops')}`;
        pod.address = address(pod.program, 'api');
        await until(`${this.name}: its start`, () => get(pod.ops + this.numbers.start_path), this.numbers.start_failures);
        this.#probe(pod);
        this.#watch(pod);
        return pod;
    }

    // Readiness: into the endpoints with the first success, out of them after so many failures.
    async #probe(pod) {
        while (!pod.hasEnded && !pod.isTerminating) {
            if (await get(pod.ops + this.numbers.ready_path)) {
                pod.failures = 0;
                if (!pod.isReady) {
                    pod.isReady = true;
                    this.#tell('add', pod);
                }
            } else if (++pod.failures >= this.numbers.ready_failures && pod.isReady) {
                pod.isReady = false;
                this.#tell('remove', pod);
            }
            await sleep(this.numbers.ready_period * 1000);
        }
    }

    // Liveness: a failure that lasts is a restart, which no rehearsal may see.
    async #watch(pod) {
        let failures = 0;
        while (!pod.hasEnded && !pod.isTerminating) {
            failures = (await get(pod.ops + this.numbers.live_path)) ? 0 : failures + 1;
            if (failures >= this.numbers.live_failures && !pod.isTerminating) this.restarts++;
            await sleep(this.numbers.live_period * 1000);
        }
    }

    // Balancers hear of it later, in the order in which it happened.
    #tell(verb, pod) {
        if (!this.endpoints) return;
        this.told = Promise.all([this.told, sleep(this.lag() * 1000)]).then(() => this.endpoints[verb](pod.address));
    }

    // Out of the endpoints and preStop begin together; then SIGTERM, and SIGKILL when the grace period is over.
    async #delete(pod) {
        const deadline = Date.now() + this.numbers.grace * 1000;
        pod.isTerminating = true;
        this.#tell('remove', pod);
        await sleep(this.numbers.pre_stop * 1000);
        pod.program.kill('SIGTERM');
        const timer = setTimeout(() => {
            this.killed++;
            pod.program.kill('SIGKILL');
        }, deadline - Date.now());
        await pod.program.exit;
        clearTimeout(timer);
        this.pods.splice(this.pods.indexOf(pod), 1);
    }

    async #ready(pod) {
        await until(`${this.name}: readiness`, () => pod.isReady, 120);
    }

    async scale(count) {
        while (this.running.length < count) await this.#ready(await this.#create());
        await Promise.all(this.running.slice(count).map(pod => this.#delete(pod)));
    }

    /** maxSurge 1, maxUnavailable 0: one more, and when it is available one of the old goes. */
    async rollOut() {
        const leaving = [];
        for (const old of this.running) {
            await this.#ready(await this.#create());
            await sleep(this.numbers.min_ready * 1000); // then it counts as available
            leaving.push(this.#delete(old));
        }
        await Promise.all(leaving);
        await this.told;
    }

    start(count) {
        return Promise.all(Array.from({ length: count }, async () => this.#ready(await this.#create())));
    }
}

export const runner = (folder, binary, settings) => name => start(folder, name, binary, [], settings);
