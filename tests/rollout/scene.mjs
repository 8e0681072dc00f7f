// What a rehearsal, or a load, takes place on.
import { mkdirSync, writeFileSync } from 'node:fs';
import { numbersOf } from '../kubernetes/numbers.mjs';
import { environmentOf, load, workloads } from '../kubernetes/objects.mjs';
import { Deployment, runner } from './kubelet.mjs';
import { startBalancer, startRedis } from './programs.mjs';

const bin = process.env.JOBGATE_BIN ?? 'build/release/bin';

// The manifests' settings, but for where things are.
function settingsOf(objects, workload, folder, redisPort) {
    const name = workload.component;
    const { API_KEYS_FILE, REDIS_URL_FILE, AZURE_AUTH, BLOB_URL, ...settings } = environmentOf(objects, workload);
    return {
        ...settings,
        ...(name === 'api' ? { AUTH: 'none', API_LISTEN: '127.0.0.1:0' } : { HANDLERS_FILE: `${folder}/handlers.json` }),
        OPS_LISTEN: '127.0.0.1:0',
        REDIS_URL: `redis://127.0.0.1:${redisPort}`,
        BLOB_URL: `file://${folder}/blobs`,
        LOG_LEVEL: 'info', // the start-up line is of that level
    };
}

/**
 * Redis, a balancer, two api and two workers with the settings and the numbers of the overlay dev, which `${folder}/dev.yaml`
 * holds. `deploy` makes more of them.
 */
export async function openScene(folder) {
    const objects = load(`${folder}/dev.yaml`);
    mkdirSync(`${folder}/blobs`);
    writeFileSync(`${folder}/handlers.json`, JSON.stringify({ types: { echo: { kind: 'builtin', builtin: 'echo' }, sleep: { kind: 'builtin', builtin: 'sleep' } } }));
    const redisPort = await startRedis(folder);
    const balancer = await startBalancer(folder);
    const deploy = (name, endpoints, more, title = name) => {
        const workload = workloads(objects).find(one => one.object.metadata.name === `jobgate-${name}`);
        const numbers = numbersOf(workload);
        const settings = { ...settingsOf(objects, workload, folder, redisPort), ...more };
        // A balancer hears late, by up to six tenths of the time that preStop waits.
        const lag = () => 0.2 + Math.random() * 0.6 * numbers.pre_stop;
        return new Deployment(title, numbers, runner(folder, `${bin}/jobgate-${name}`, settings), endpoints, lag);
    };
    const api = deploy('api', balancer);
    const worker = deploy('worker');
    await Promise.all([api.start(2), worker.start(2)]);
    await api.told;
    return { balancer, api, worker, deploy };
}
