// Load as in the reports that docs/benchmarks.md compares with: so many new callers a second, each with a connection of its own and
// one request (7 of 10 submit a job, 3 look at the queue), on two api behind a balancer, with two workers. Prints one line for each
// load, and ends with "counts <passed> <failed>": a load passes when every request was answered well and every job ran.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { killAll, until } from '../rollout/programs.mjs';
import { openScene } from '../rollout/scene.mjs';

const [folder] = process.argv.slice(2);
const loads = [[10, 30], [50, 30], [100, 30], [500, 30], [50, 120]];
const scenario = JSON.parse(readFileSync('tests/load/scenario.json', 'utf8'));
let passed = 0;
let failed = 0;

async function run(url, rate, seconds) {
    const name = `${folder}/${rate}-${seconds}`;
    scenario.config.phases = [{ duration: seconds, arrivalRate: rate }];
    writeFileSync(`${name}.json`, JSON.stringify(scenario));
    const artillery = spawn('node', ['tests/load/node_modules/artillery/bin/run', 'run', '--quiet', '--target', url, '--output', `${name}.report`, `${name}.json`], {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, ARTILLERY_DISABLE_TELEMETRY: 'true', HOME: folder },
    });
    const [status] = await once(artillery, 'exit');
    if (status !== 0) throw new Error(`artillery ended with ${status}`);
    return JSON.parse(readFileSync(`${name}.report`, 'utf8')).aggregate;
}

function judge(rate, seconds, { counters, summaries }) {
    const times = summaries['http.response_time'];
    const good = (counters['http.codes.202'] ?? 0) + (counters['http.codes.200'] ?? 0);
    const requests = counters['vusers.created'];
    const format = value => value.toFixed(1).padStart(8);
    console.log(
        `load: ${String(rate).padStart(4)}/s for ${String(seconds).padStart(3)} s ${String(requests).padStart(6)} requests  ${((100 * good) / requests).toFixed(2).padStart(6)} % ` +
            `mean${format(times.mean)} p50${format(times.p50)} p95${format(times.p95)} p99${format(times.p99)} max${format(times.max)} ms`,
    );
    if (good === requests && requests >= rate * seconds * 0.95) passed++;
    else {
        failed++;
        console.log(`load: FAILED: ${JSON.stringify(counters)}`);
    }
}

try {
    const { balancer, api, worker } = await openScene(folder);
    for (const [rate, seconds] of loads) judge(rate, seconds, await run(balancer.url, rate, seconds));
    const stats = async () => (await fetch(`${balancer.url}/v1/queues/default`)).json();
    await until('the end of the jobs', async () => (({ waiting, running }) => waiting + running === 0)(await stats()), 120);
    const { totals } = await stats();
    if (totals.succeeded === totals.submitted && totals.dead + totals.lost === 0) passed++;
    else {
        failed++;
        console.log(`load: FAILED: not every job succeeded: ${JSON.stringify(totals)}`);
    }
    await Promise.all([api.scale(0), worker.scale(0)]);
} catch (error) {
    failed++;
    console.log(`load: FAILED: ${error.stack}`);
} finally {
    killAll();
}
console.log(`counts ${passed} ${failed}`);
process.exit(failed ? 1 : 0);
