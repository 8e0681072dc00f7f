// Rehearses what a rollout and a scale-in do to callers and jobs: real programs, a real Redis, a real HAProxy, and the numbers of
// the manifests. Ends with "counts <passed> <failed>".
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Callers } from './callers.mjs';
import { killAll, until } from './programs.mjs';
import { openScene } from './scene.mjs';

const [length, folder] = process.argv.slice(2);
const isLong = length === 'long';
const rate = isLong ? 200 : 50;
const rounds = isLong ? 3 : 1;
const longJobMs = isLong ? 20000 : 8000;
let passed = 0;
let failed = 0;

function test(name, mistakes) {
    if (mistakes.length === 0) passed++;
    else failed++;
    for (const mistake of mistakes.slice(0, 10)) console.log(`rollout: ${name}: FAILED: ${mistake}`);
    if (mistakes.length > 10) console.log(`rollout: ${name}: and ${mistakes.length - 10} more`);
}

const stats = async url => (await fetch(`${url}/v1/stats`)).json();

/** Submits jobs that take long, and waits until they run. */
async function submitLong(callers, url, count, ms) {
    const ids = [];
    for (let i = 0; i < count; i++) {
        const answer = await callers.expect('POST', '/v1/jobs', { type: 'sleep', payload: { seconds: ms / 1000 } }, {}, [202]);
        ids.push(answer?.id);
    }
    await until('the long jobs run', async () => (await stats(url)).running >= count || undefined);
    return ids;
}

/** What became of jobs: each must have succeeded, and at its first try where that is promised. */
async function judge(url, ids, isFirstTry) {
    const mistakes = [];
    for (const id of ids) {
        let job;
        await until(`the end of ${id}`, async () => {
            const answer = await fetch(`${url}/v1/jobs/${id}`);
            job = await answer.json();
            return answer.status !== 200 || ['succeeded', 'dead', 'cancelled'].includes(job.state);
        }, 120);
        if (job.state !== 'succeeded') mistakes.push(`${id}: ${job.state ?? JSON.stringify(job)}`);
        else if (isFirstTry && job.attempt !== 1) mistakes.push(`${id}: it took ${job.attempt} tries`);
    }
    return mistakes;
}

const ended = deployment => [
    ...deployment.statuses.filter(status => status !== 0).map(status => `${deployment.name}: a pod ended with ${status}`),
    ...(deployment.killed ? [`${deployment.name}: ${deployment.killed} pods outlived their grace period`] : []),
    ...(deployment.restarts ? [`${deployment.name}: ${deployment.restarts} pods ended by themselves, or were not alive`] : []),
];

/** Both roll out at once, as with a release, under load and with long jobs. */
async function release({ balancer, api, worker }, round) {
    const callers = new Callers(balancer.url, rate);
    const long = await submitLong(callers, balancer.url, 4, longJobMs);
    await Promise.all([api.rollOut(), worker.rollOut()]);
    await sleep(1000);
    await callers.stop();
    test(`release ${round}: no request fails`, callers.failures);
    test(`release ${round}: there was load`, callers.answered > rate ? [] : [`${callers.answered} requests`]);
    test(`release ${round}: every pod ends well and in time`, [...ended(api), ...ended(worker)]);
    test(`release ${round}: long jobs end where they began`, await judge(balancer.url, long, true));
    test(`release ${round}: no job is lost`, await judge(balancer.url, callers.ids, false));
    const sorted = callers.latencies.sort((a, b) => a - b);
    console.log(`rollout: release ${round}: ${callers.answered} requests answered, median ${sorted[sorted.length >> 1].toFixed(1)} ms, slowest ${sorted.at(-1).toFixed(0)} ms`);
}

/** Two of three workers go while all are busy. */
async function scaleIn({ balancer, worker }, round) {
    const callers = new Callers(balancer.url, rate / 5);
    await worker.scale(3);
    const long = await submitLong(callers, balancer.url, 9, longJobMs);
    await worker.scale(1);
    await callers.stop();
    test(`scale-in ${round}: every worker ends well and in time`, ended(worker));
    test(`scale-in ${round}: busy workers end their jobs`, await judge(balancer.url, long, true));
    test(`scale-in ${round}: no request fails, no job is lost`, [...callers.failures, ...(await judge(balancer.url, callers.ids, false))]);
    await worker.scale(2);
}

/** Jobs that outlast DRAIN_S go to another worker at once, not when the lease is over. */
async function cutOff({ balancer, deploy }) {
    const hasty = deploy('worker', undefined, { DRAIN_S: '1', WORKER_QUEUES: 'hasty' }, 'hasty');
    const other = deploy('worker', undefined, { WORKER_QUEUES: 'hasty' }, 'other');
    const callers = new Callers(balancer.url, 5);
    other.numbers.ready_period = 0.2; // it has to be there before the job ends by itself
    await hasty.start(1);
    const { id } = await callers.expect('POST', '/v1/jobs', { type: 'sleep', queue: 'hasty', payload: { seconds: 6 } }, {}, [202]);
    await until('the job runs', async () => (await (await fetch(`${balancer.url}/v1/jobs/${id}`)).json()).state === 'running');
    await other.start(1);
    await hasty.scale(0);
    const { totals } = await (await fetch(`${balancer.url}/v1/queues/hasty`)).json();
    test('a job that outlasts the drain is given back at once', totals.returned === 1 && totals.lost === 0 ? [] : [JSON.stringify(totals)]);
    test('and ends elsewhere', await judge(balancer.url, [id], false));
    await callers.stop();
    await other.scale(0);
    test('both end well', [...ended(hasty), ...ended(other)]);
}

/** The rehearsal would notice: a pod that stops before the balancer has heard of it loses requests. */
async function control({ balancer, api, deploy }) {
    const careless = deploy('api', balancer, {}, 'careless');
    const callers = new Callers(balancer.url, rate);
    Object.assign(careless, { numbers: { ...careless.numbers, pre_stop: 0 }, lag: () => 3 });
    await careless.start(1);
    await careless.told;
    await careless.scale(0);
    await careless.told;
    await callers.stop();
    test('without preStop requests fail, and that is seen', callers.failures.length ? [] : ['none failed']);
    test('and the api that stay are well', ended(api));
}

async function main() {
    const scene = await openScene(folder);
    const { balancer } = scene;
    for (let round = 1; round <= rounds; round++) {
        await release(scene, round);
        await Promise.all([scaleIn(scene, round), ...(round === 1 ? [cutOff(scene)] : [])]);
    }
    await control(scene);
    const { totals } = (await (await fetch(`${balancer.url}/v1/queues/default`)).json());
    test('nothing was lost, given back or dead', totals.lost + totals.returned + totals.dead === 0 ? [] : [JSON.stringify(totals)]);
    test('everything submitted has succeeded', totals.submitted === totals.succeeded ? [] : [JSON.stringify(totals)]);
    await Promise.all([scene.api.scale(0), scene.worker.scale(0)]);
    test('all end well', [...ended(scene.api), ...ended(scene.worker)]);
}

try {
    await main();
} catch (error) {
    test('the rehearsal', [error.stack]);
} finally {
    killAll();
}
if (failed) console.log(readFileSync(`${folder}/haproxy.log`, 'utf8').slice(-2000));
console.log(`counts ${passed} ${failed}`);
process.exit(failed ? 1 : 0);
