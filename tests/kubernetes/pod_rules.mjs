// What each pod has to be: each rule gets the rendered objects and returns what is wrong, a line each.
import { environmentOf, find, ofKind, quantity, selects, titleOf, workloads } from './objects.mjs';
import { settingsOf } from './tables.mjs';

const programs = ['api', 'worker'];
const volumeKinds = ['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'projected', 'secret'];

/** Calls look(workload, wrong) for each; wrong(text) notes a mistake. */
function each(objects, look, components) {
    const mistakes = [];
    for (const workload of workloads(objects))
        if (!components || components.includes(workload.component))
            look(workload, text => mistakes.push(`${workload.title}: ${text}`));
    return mistakes;
}

/** All that is there to be judged. */
export function complete(objects) {
    const mistakes = [];
    for (const name of programs) {
        if (!find(objects, 'Deployment', `jobgate-${name}`)) mistakes.push(`there is no Deployment jobgate-${name}`);
        if (!find(objects, 'PodDisruptionBudget', `jobgate-${name}`)) mistakes.push(`jobgate-${name} has no disruption budget`);
    }
    for (const name of ['jobgate-api', 'jobgate-api-ops'])
        if (!find(objects, 'Service', name)) mistakes.push(`there is no Service ${name}`);
    return mistakes;
}

/** The profile "restricted", in the namespace and in each pod, and a file system that cannot be written. */
export function restricted(objects) {
    const mistakes = each(objects, ({ pod, containers }, wrong) => {
        const context = pod.securityContext ?? {};
        if (context.runAsNonRoot !== true) wrong('runAsNonRoot');
        if (!(context.runAsUser > 0) || !(context.runAsGroup > 0)) wrong('runAsUser and runAsGroup');
        if (context.seccompProfile?.type !== 'RuntimeDefault') wrong('seccompProfile');
        if (pod.hostNetwork || pod.hostPID || pod.hostIPC) wrong('it shares something with the node');
        for (const { name, ...kinds } of pod.volumes ?? [])
            if (Object.keys(kinds).some(kind => !volumeKinds.includes(kind))) wrong(`the kind of volume ${name}`);
        for (const { name, securityContext: own = {}, ports = [] } of containers) {
            if (own.allowPrivilegeEscalation !== false) wrong(`${name}: allowPrivilegeEscalation`);
            if (own.readOnlyRootFilesystem !== true) wrong(`${name}: readOnlyRootFilesystem`);
            if (own.privileged || own.procMount) wrong(`${name}: privileged`);
            if (own.runAsNonRoot === false || own.runAsUser === 0) wrong(`${name}: root`);
            if (String(own.capabilities?.drop) !== 'ALL' || own.capabilities.add?.length) wrong(`${name}: capabilities`);
            if (ports.some(port => port.hostPort)) wrong(`${name}: a port of the node`);
        }
    });
    const labels = find(objects, 'Namespace', 'jobgate')?.metadata.labels ?? {};
    for (const mode of ['enforce', 'audit', 'warn'])
        if (labels[`pod-security.kubernetes.io/${mode}`] !== 'restricted') mistakes.push(`the namespace does not ${mode} restricted`);
    return mistakes;
}

/** No token of the service account, in the account and in the pod. */
export function tokens(objects) {
    return each(objects, ({ pod, component }, wrong) => {
        const account = find(objects, 'ServiceAccount', pod.serviceAccountName);
        if (pod.automountServiceAccountToken !== false) wrong('the pod mounts a token');
        if (pod.enableServiceLinks !== false) wrong('addresses of services are in its environment');
        if (component !== 'azurite' && account?.automountServiceAccountToken !== false) wrong('its account gives tokens');
    });
}

/** Requests and limits everywhere; api and worker live in what the smallest platform gives them. */
export function resources(objects, { isSmall }) {
    const smallest = { requests: { cpu: 0.1, memory: 128 * 2 ** 20 }, limits: { cpu: 0.25, memory: 256 * 2 ** 20 } };
    return each(objects, ({ containers, component }, wrong) => {
        for (const { name, resources: own = {} } of containers)
            for (const kind of ['requests', 'limits'])
                for (const what of ['cpu', 'memory']) {
                    const value = quantity(own[kind]?.[what]);
                    if (!(value > 0)) wrong(`${name}: no ${kind} of ${what}`);
                    if (isSmall && programs.includes(component) && value > smallest[kind][what]) wrong(`${name}: ${kind} of ${what}`);
                    if (value > quantity(own.limits?.[what])) wrong(`${name}: ${what}: it requests more than its limit`);
                }
    });
}

/** Three probes; those of api and worker ask the ops port what each is for. */
export function probes(objects) {
    const paths = {
        api: { startupProbe: '/healthz', readinessProbe: '/acceptz', livenessProbe: '/healthz' },
        worker: { startupProbe: '/healthz', readinessProbe: '/readyz', livenessProbe: '/healthz' },
    };
    return each(objects, ({ containers, component }, wrong) => {
        for (const container of containers)
            for (const kind of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
                const probe = container[kind];
                if (!probe) wrong(`${container.name}: no ${kind}`);
                if (!paths[component]) continue;
                if (probe?.httpGet?.port !== 'ops') wrong(`${container.name}: ${kind} does not ask the ops port`);
                if (probe?.httpGet?.path !== paths[component][kind]) wrong(`${container.name}: ${kind} asks ${probe?.httpGet?.path}`);
                if (kind === 'livenessProbe' && !(probe?.failureThreshold * probe?.periodSeconds >= 30))
                    wrong(`${container.name}: ${kind} is hasty`);
            }
        if (!programs.includes(component)) return;
        if (containers[0].ports?.find(port => port.name === 'ops')?.containerPort !== 9090) wrong('no port named ops');
    });
}

/** The platform waits for the drain: preStop, DRAIN_S, and room to end. No shell is needed for it. */
export function draining(objects) {
    return each(
        objects,
        (workload, wrong) => {
            const { pod, containers, component, object } = workload;
            const { DRAIN_S: drain } = environmentOf(objects, workload);
            const hook = containers[0].lifecycle?.preStop;
            const before = hook?.sleep?.seconds ?? 0;
            const rolling = object.spec.strategy?.rollingUpdate;
            if (!(Number(drain) > 0)) wrong('DRAIN_S is not set');
            if (component === 'api' && !(before >= 5)) wrong('it stops listening before balancers know');
            if (hook?.exec) wrong('preStop needs a program in the image');
            if (!(pod.terminationGracePeriodSeconds >= before + Number(drain) + 5)) wrong('it is killed before it has drained');
            if (rolling?.maxUnavailable !== 0) wrong('a rollout takes one away before the next is there');
            if (!(object.spec.minReadySeconds >= 1)) wrong('a rollout does not look whether the new one stays');
        },
        programs,
    );
}

/** Spread over zones and nodes, and disruptions one by one, but never none. */
export function spread(objects) {
    return each(
        objects,
        ({ pod, labels, title }, wrong) => {
            for (const key of ['topology.kubernetes.io/zone', 'kubernetes.io/hostname']) {
                const constraint = pod.topologySpreadConstraints?.find(one => one.topologyKey === key);
                if (constraint?.maxSkew !== 1 || !selects(constraint.labelSelector, labels)) wrong(`it is not spread over ${key}`);
                if (!constraint?.matchLabelKeys?.includes('pod-template-hash')) wrong(`${key}: a rollout counts the old ones`);
            }
            const budget = ofKind(objects, 'PodDisruptionBudget').find(one => selects(one.spec.selector, labels));
            if (!budget) wrong('no disruption budget');
            else if (!(parseInt(budget.spec.maxUnavailable, 10) >= 1)) wrong('its disruption budget lets no node be drained');
            else if (budget.spec.unhealthyPodEvictionPolicy !== 'AlwaysAllow') wrong('ill pods hold a node up');
            else if (`Deployment/${budget.metadata.name}` !== title) wrong('the budget is of another');
        },
        programs,
    );
}

/** One owner of the number of replicas; two api at the least; busy workers count when workers are counted. */
export function scaling(objects) {
    const mistakes = [];
    for (const scaler of ofKind(objects, 'HorizontalPodAutoscaler', 'ScaledObject')) {
        const target = find(objects, 'Deployment', scaler.spec.scaleTargetRef?.name);
        if (!target) mistakes.push(`${titleOf(scaler)}: nothing to scale`);
        else if (target.spec.replicas !== undefined) mistakes.push(`${titleOf(target)}: replicas fight with ${titleOf(scaler)}`);
    }
    const api = find(objects, 'HorizontalPodAutoscaler', 'jobgate-api');
    if (!(api?.spec.minReplicas >= 2)) mistakes.push('fewer than two api');
    if (!(api?.spec.behavior?.scaleDown?.stabilizationWindowSeconds >= 300)) mistakes.push('api: scaling in is hasty');
    for (const scaled of ofKind(objects, 'ScaledObject')) {
        const { triggers, fallback, advanced, minReplicaCount, maxReplicaCount } = scaled.spec;
        const { url, valueLocation, targetValue } = triggers?.[0]?.metadata ?? {};
        const worker = workloads(objects).find(one => one.object.metadata.name === scaled.spec.scaleTargetRef.name);
        if (triggers?.[0]?.type !== 'metrics-api' || !url?.endsWith('.svc.cluster.local:9090/v1/stats') || !url.includes('//jobgate-api-ops.'))
            mistakes.push('KEDA does not read the stats of the ops port');
        if (valueLocation !== 'demand') mistakes.push('KEDA does not count what waits and what runs');
        if (targetValue !== (worker && environmentOf(objects, worker).WORKER_CONCURRENCY))
            mistakes.push('KEDA does not scale by the slots of one worker');
        if (!(fallback?.replicas >= 1)) mistakes.push('KEDA: no fallback');
        if (!(advanced?.horizontalPodAutoscalerConfig?.behavior?.scaleDown?.stabilizationWindowSeconds >= 300))
            mistakes.push('KEDA: scaling in is hasty');
        if (!(minReplicaCount >= 1)) mistakes.push('KEDA: without a worker scheduled jobs are never due');
        if (!(maxReplicaCount > minReplicaCount)) mistakes.push('KEDA: no room to scale');
    }
    return mistakes;
}

/** Every name in the environment is a setting of that program, and has a value that its kind can have. */
export function settings(objects) {
    return each(
        objects,
        (workload, wrong) => {
            const known = settingsOf(workload.component.toUpperCase());
            const environment = environmentOf(objects, workload);
            for (const needed of ['OPS_LISTEN', 'AZURE_AUTH', ...(workload.component === 'api' ? ['API_LISTEN', 'AUTH'] : [])])
                if (!environment[needed]) wrong(`${needed} is not set`);
            for (const [name, value] of Object.entries(environment)) {
                if (!known.has(name)) wrong(`${name} is no setting`);
                if (known.get(name) === 'INT' && !/^\d+$/.test(value)) wrong(`${name} is no number`);
            }
        },
        programs,
    );
}

/** Secrets are files of the CSI mount: none in the environment, none in the cluster. */
export function secrets(objects, { isLocal }) {
    const mistakes = each(objects, (workload, wrong) => {
        const { pod, containers, component } = workload;
        const known = settingsOf((component ?? '').toUpperCase());
        for (const container of containers) {
            if (container.envFrom?.some(one => one.secretRef) || container.env?.some(one => one.valueFrom?.secretKeyRef))
                wrong('a secret in its environment');
            for (const [name, value] of Object.entries(environmentOf(objects, workload))) {
                if (known.get(name) === 'SECRET' && value) wrong(`${name} stands in its environment`);
                if ((known.get(name) === 'PATH' || name === 'API_KEYS_FILE') && value) checkFile(name, value, pod, container, wrong);
            }
            if (programs.includes(component) && !environmentOf(objects, workload).REDIS_URL_FILE) wrong('REDIS_URL_FILE is not set');
        }
    });
    if (!isLocal && ofKind(objects, 'Secret').length) mistakes.push('a Secret is stored in the cluster');
    return mistakes;

    function checkFile(name, path, pod, container, wrong) {
        const [, folder, file] = /^(.*)\/([^/]+)$/.exec(path) ?? [];
        const mount = container.volumeMounts?.find(one => one.mountPath === folder);
        const volume = pod.volumes?.find(one => one.name === mount?.name);
        const provider = find(objects, 'SecretProviderClass', volume?.csi?.volumeAttributes?.secretProviderClass);
        if (mount?.subPath) wrong(`${name}: a mounted sub-path is never rotated`);
        if (isLocal ? !volume?.secret : !provider?.spec.parameters.objects.includes(`objectName: ${file}\n`))
            wrong(`${name}: ${path} is not a file of the CSI mount`);
    }
}

/** Workload identity: the label of the pod, the annotation of the account, and the same identity for its secrets. */
export function identity(objects, { isLocal }) {
    if (isLocal) return [];
    return each(objects, ({ pod, labels, component }, wrong) => {
        if (component === 'azurite') return;
        const account = find(objects, 'ServiceAccount', pod.serviceAccountName);
        const client = account?.metadata.annotations?.['azure.workload.identity/client-id'];
        const volume = pod.volumes?.find(one => one.csi);
        const provider = find(objects, 'SecretProviderClass', volume?.csi.volumeAttributes?.secretProviderClass);
        if (labels['azure.workload.identity/use'] !== 'true') wrong('the webhook passes it by');
        if (!/^[0-9a-f-]{36}$/.test(client ?? '')) wrong('its account has no identity');
        if (provider?.spec.parameters.clientID !== client) wrong('its secrets are read as another');
        if (volume?.csi.driver !== 'secrets-store.csi.k8s.io' || volume.csi.readOnly !== true) wrong('its secrets are not from the CSI driver');
    });
}

/** Redis keeps what it acknowledged, refuses when it is full, and knows who asks. */
export function redis(objects) {
    return each(
        objects,
        ({ pod, containers: [container], object }, wrong) => {
            const volume = pod.volumes?.find(one => one.configMap);
            const config = find(objects, 'ConfigMap', volume?.configMap.name)?.data['redis.conf'] ?? '';
            for (const line of ['appendonly yes', 'appendfsync everysec', 'maxmemory-policy noeviction', 'dir /data', 'aclfile /mnt/secrets/redis-users'])
                if (!config.split('\n').includes(line)) wrong(`redis.conf: no ${line}`);
            if (!container.volumeMounts?.some(one => one.name === 'data' && one.mountPath === '/data')) wrong('no volume');
            if (!object.spec.volumeClaimTemplates?.some(one => one.metadata.name === 'data')) wrong('no claim for its volume');
            const most = /^(\d+)(mb|gb)$/.exec(container.args?.[container.args.indexOf('--maxmemory') + 1] ?? '');
            const bytes = most && Number(most[1]) * (most[2] === 'mb' ? 2 ** 20 : 2 ** 30);
            if (!(bytes > 0 && bytes * 2 <= quantity(container.resources?.limits?.memory))) wrong('maxmemory is over half of its limit');
            if (container.command?.[0] !== 'redis-server') wrong('a shell starts it');
        },
        ['redis'],
    );
}
