// Mistakes, one at a time, that somebody could make in the overlay prod: the rules must find each of them.
import { find, ofKind, workloads } from './objects.mjs';

const containerOf = object => object.spec.template.spec.containers[0];
const podOf = object => object.spec.template.spec;
const configOf = (objects, name) => ofKind(objects, 'ConfigMap').find(one => new RegExp(`^jobgate-${name}(-|$)`).test(one.metadata.name));

/** name, rule that must find it, the change */
export function mutations(objects) {
    return [...ofEachPod(objects), ...ofPrograms(), ...ofTheRest()];
}

// Each line of hardening of each pod.
function ofEachPod(objects) {
    const changes = [
        ['restricted', 'runAsNonRoot', object => delete podOf(object).securityContext.runAsNonRoot],
        ['restricted', 'runAsUser', object => (podOf(object).securityContext.runAsUser = 0)],
        ['restricted', 'runAsGroup', object => delete podOf(object).securityContext.runAsGroup],
        ['restricted', 'seccompProfile', object => delete podOf(object).securityContext.seccompProfile],
        ['restricted', 'hostNetwork', object => (podOf(object).hostNetwork = true)],
        ['restricted', 'hostPath', object => podOf(object).volumes.push({ name: 'node', hostPath: { path: '/' } })],
        ['restricted', 'hostPort', object => (containerOf(object).ports[0].hostPort = 80)],
        ['restricted', 'allowPrivilegeEscalation', object => delete containerOf(object).securityContext.allowPrivilegeEscalation],
        ['restricted', 'readOnlyRootFilesystem', object => delete containerOf(object).securityContext.readOnlyRootFilesystem],
        ['restricted', 'privileged', object => (containerOf(object).securityContext.privileged = true)],
        ['restricted', 'capabilities', object => delete containerOf(object).securityContext.capabilities.drop],
        ['restricted', 'added capabilities', object => (containerOf(object).securityContext.capabilities.add = ['NET_RAW'])],
        ['tokens', 'automountServiceAccountToken', object => delete podOf(object).automountServiceAccountToken],
        ['tokens', 'enableServiceLinks', object => delete podOf(object).enableServiceLinks],
        ['resources', 'requests', object => delete containerOf(object).resources.requests],
        ['resources', 'limit of memory', object => delete containerOf(object).resources.limits.memory],
        ['resources', 'limit of cpu', object => delete containerOf(object).resources.limits.cpu],
        ['resources', 'requests over the limit', object => (containerOf(object).resources.requests.memory = '64Gi')],
        ['probes', 'startupProbe', object => delete containerOf(object).startupProbe],
        ['probes', 'readinessProbe', object => delete containerOf(object).readinessProbe],
        ['probes', 'livenessProbe', object => delete containerOf(object).livenessProbe],
        ['identity', 'label of workload identity', object => delete object.spec.template.metadata.labels['azure.workload.identity/use']],
        ['identity', 'volume of another kind', object => (podOf(object).volumes = podOf(object).volumes.filter(one => !one.csi))],
        ['secrets', 'secret in the environment', object => (containerOf(object).env = [{ name: 'A', valueFrom: { secretKeyRef: { name: 'a', key: 'b' } } }])],
    ];
    return workloads(objects).flatMap(({ title, object }) =>
        changes.map(([rule, what, change]) => [
            `${title}: ${what}`,
            rule,
            mutated => change(find(mutated, object.kind, object.metadata.name)),
        ]),
    );
}

function ofPrograms() {
    const changes = [
        ['draining', 'grace', object => (podOf(object).terminationGracePeriodSeconds = 30)],
        ['draining', 'maxUnavailable', object => (object.spec.strategy.rollingUpdate.maxUnavailable = 1)],
        ['draining', 'minReadySeconds', object => delete object.spec.minReadySeconds],
        ['draining', 'a shell in preStop', object => (containerOf(object).lifecycle = { preStop: { exec: { command: ['sleep', '10'] } } })],
        ['spread', 'zones', object => podOf(object).topologySpreadConstraints.shift()],
        ['spread', 'nodes', object => podOf(object).topologySpreadConstraints.pop()],
        ['spread', 'selector', object => (podOf(object).topologySpreadConstraints[0].labelSelector.matchLabels['app.kubernetes.io/component'] = 'x')],
        ['spread', 'pod-template-hash', object => delete podOf(object).topologySpreadConstraints[0].matchLabelKeys],
        ['scaling', 'replicas', object => (object.spec.replicas = 2)],
        ['probes', 'liveness asks for readiness', object => (containerOf(object).livenessProbe.httpGet.path = '/readyz')],
        ['probes', 'readiness asks for liveness', object => (containerOf(object).readinessProbe.httpGet.path = '/healthz')],
        ['probes', 'another port', object => (containerOf(object).livenessProbe.httpGet.port = 'http')],
        ['probes', 'hasty liveness', object => (containerOf(object).livenessProbe.failureThreshold = 1)],
        ['settings', 'no ConfigMap', object => (containerOf(object).envFrom = [])],
        ['secrets', 'mount of secrets', object => containerOf(object).volumeMounts.shift()],
        ['secrets', 'a sub-path', object => (containerOf(object).volumeMounts[0].subPath = 'redis-url')],
        ['secrets', 'envFrom a secret', object => containerOf(object).envFrom.push({ secretRef: { name: 'jobgate' } })],
        ['monitoring', 'port ops', object => (containerOf(object).ports = [])],
    ];
    const ofConfig = [
        ['settings', 'an unknown setting', config => (config.data.REDIS_ADDRESS = 'redis:6379')],
        ['settings', 'a number that is none', config => (config.data.DRAIN_S = '25s')],
        ['settings', 'OPS_LISTEN', config => delete config.data.OPS_LISTEN],
        ['secrets', 'REDIS_URL', config => (config.data.REDIS_URL = 'redis://:secret@redis:6379')],
        ['secrets', 'REDIS_URL_FILE', config => delete config.data.REDIS_URL_FILE],
        ['secrets', 'a file that Key Vault does not give', config => (config.data.REDIS_URL_FILE = '/mnt/secrets/redis')],
        ['draining', 'DRAIN_S', config => (config.data.DRAIN_S = '3000')],
    ];
    return ['api', 'worker'].flatMap(name => [
        ...changes.map(([rule, what, change]) => [`${name}: ${what}`, rule, mutated => change(find(mutated, 'Deployment', `jobgate-${name}`))]),
        ...ofConfig.map(([rule, what, change]) => [`${name}: ${what}`, rule, mutated => change(configOf(mutated, name))]),
        [`${name}: the budget`, 'spread', mutated => mutated.splice(mutated.indexOf(find(mutated, 'PodDisruptionBudget', `jobgate-${name}`)), 1)],
        [`${name}: a budget of none`, 'spread', mutated => (find(mutated, 'PodDisruptionBudget', `jobgate-${name}`).spec.maxUnavailable = 0)],
        [`${name}: ill pods`, 'spread', mutated => delete find(mutated, 'PodDisruptionBudget', `jobgate-${name}`).spec.unhealthyPodEvictionPolicy],
        [`${name}: the deployment`, 'complete', mutated => mutated.splice(mutated.indexOf(find(mutated, 'Deployment', `jobgate-${name}`)), 1)],
        [`${name}: token of the account`, 'tokens', mutated => (find(mutated, 'ServiceAccount', `jobgate-${name}`).automountServiceAccountToken = true)],
        [`${name}: identity of the account`, 'identity', mutated => delete find(mutated, 'ServiceAccount', `jobgate-${name}`).metadata.annotations],
        [`${name}: identity of the secrets`, 'identity', mutated => (find(mutated, 'SecretProviderClass', `jobgate-${name}`).spec.parameters.clientID = 'x')],
    ]);
}

// [what, rule, kind, name, the change of the object]
const single = [
    ['the drain of the api without preStop', 'draining', 'Deployment', 'jobgate-api', object => delete containerOf(object).lifecycle],
    ['API_KEYS_FILE in the cluster', 'secrets', 'SecretProviderClass', 'jobgate-api', object => (object.spec.parameters.objects = '')],
    ['one api', 'scaling', 'HorizontalPodAutoscaler', 'jobgate-api', object => (object.spec.minReplicas = 1)],
    ['a hasty HPA', 'scaling', 'HorizontalPodAutoscaler', 'jobgate-api', object => delete object.spec.behavior],
    ['KEDA of waiting jobs', 'scaling', 'ScaledObject', 'jobgate-worker', object => (object.spec.triggers[0].metadata.valueLocation = 'waiting')],
    ['KEDA by another number', 'scaling', 'ScaledObject', 'jobgate-worker', object => (object.spec.triggers[0].metadata.targetValue = '5')],
    ['KEDA by the public port', 'scaling', 'ScaledObject', 'jobgate-worker', object => (object.spec.triggers[0].metadata.url = 'http://jobgate-api.jobgate.svc.cluster.local/v1/stats')],
    ['KEDA with a secret of Redis', 'scaling', 'ScaledObject', 'jobgate-worker', object => (object.spec.triggers[0].type = 'redis')],
    ['KEDA down to none', 'scaling', 'ScaledObject', 'jobgate-worker', object => (object.spec.minReplicaCount = 0)],
    ['KEDA without fallback', 'scaling', 'ScaledObject', 'jobgate-worker', object => delete object.spec.fallback],
    ['a hasty KEDA', 'scaling', 'ScaledObject', 'jobgate-worker', object => delete object.spec.advanced],
    ['enforce', 'restricted', 'Namespace', 'jobgate', object => delete object.metadata.labels['pod-security.kubernetes.io/enforce']],
    ['ingress denied', 'denied', 'NetworkPolicy', 'default-deny', object => object.spec.policyTypes.shift()],
    ['egress denied', 'denied', 'NetworkPolicy', 'default-deny', object => object.spec.policyTypes.pop()],
    ['all denied', 'denied', 'NetworkPolicy', 'default-deny', object => (object.spec.podSelector.matchLabels = { a: 'b' })],
    ['a policy of nobody', 'denied', 'NetworkPolicy', 'egress-entra', object => (object.spec.podSelector.matchLabels['app.kubernetes.io/name'] = 'x')],
    ['a port that no pod has', 'denied', 'NetworkPolicy', 'ingress-keda', object => (object.spec.ingress[0].ports[0].port = 'metrics')],
    ['Entra anywhere', 'egress', 'NetworkPolicy', 'egress-entra', object => (object.spec.egress[0].to[0].ipBlock.cidr = '0.0.0.0/0')],
    ['Entra on any port', 'egress', 'NetworkPolicy', 'egress-entra', object => delete object.spec.egress[0].ports],
    ['egress to anywhere', 'egress', 'NetworkPolicy', 'egress-dns', object => object.spec.egress.push({})],
    ['DNS by address', 'egress', 'NetworkPolicy', 'egress-dns', object => (object.spec.egress[0].to = [{ ipBlock: { cidr: '10.0.0.10/32' } }])],
    ['DNS of the node', 'egress', 'NetworkPolicy', 'egress-dns', object => object.spec.egress[0].to[0].podSelector.matchExpressions[0].values.pop()],
    ['the port of Redis', 'egress', 'NetworkPolicy', 'egress-private-endpoints', object => object.spec.egress[0].ports.pop()],
    ['the gateway to the ops port', 'ingress', 'NetworkPolicy', 'ingress-gateway', object => (object.spec.ingress[0].ports[0].port = 'ops')],
    ['the gateway from anywhere', 'ingress', 'NetworkPolicy', 'ingress-gateway', object => delete object.spec.ingress[0].from],
    ['KEDA from any pod', 'ingress', 'NetworkPolicy', 'ingress-keda', object => delete object.spec.ingress[0].from[0].podSelector],
    ['Prometheus from any pod', 'ingress', 'NetworkPolicy', 'ingress-prometheus', object => delete object.spec.ingress[0].from[0].podSelector],
    ['Redis for all of the namespace', 'ingress', 'NetworkPolicy', 'redis', object => (object.spec.ingress[0].from[0].podSelector = {})],
    ['keys in the clear', 'edge', 'Gateway', 'jobgate', object => (object.spec.listeners[0].allowedRoutes = object.spec.listeners[1].allowedRoutes)],
    ['a route in the clear', 'edge', 'HTTPRoute', 'jobgate-api', object => (object.spec.parentRefs[0].sectionName = 'http')],
    ['a route to the ops port', 'edge', 'HTTPRoute', 'jobgate-api', object => (object.spec.rules[0].backendRefs[0].name = 'jobgate-api-ops')],
    ['a public Service', 'edge', 'Service', 'jobgate-api-ops', object => (object.spec.type = 'LoadBalancer')],
    ['the ops port in the Service', 'edge', 'Service', 'jobgate-api', object => object.spec.ports.push({ name: 'ops', port: 9090, targetPort: 'ops' })],
    ['no metrics of workers', 'monitoring', 'PodMonitor', 'jobgate-worker', object => (object.spec.selector.matchLabels['app.kubernetes.io/component'] = 'x')],
    ['a metric that there is not', 'monitoring', 'ConfigMap', 'jobgate-dashboard', object => (object.data['dashboard.json'] = object.data['dashboard.json'].replaceAll('jobgate_queue_jobs', 'jobgate_queue_length'))],
    ['an old dashboard', 'monitoring', 'ConfigMap', 'jobgate-dashboard', object => (object.data['dashboard.json'] = object.data['dashboard.json'].replace(/"schemaVersion": \d+/, '"schemaVersion": 36'))],
    ['Redis without its volume', 'redis', 'StatefulSet', 'jobgate-redis', object => delete object.spec.volumeClaimTemplates],
    ['a Redis that may take all memory', 'redis', 'StatefulSet', 'jobgate-redis', object => (containerOf(object).args[2] = '4gb')],
    ['a Redis that a shell starts', 'redis', 'StatefulSet', 'jobgate-redis', object => (containerOf(object).command = ['sh', '-c'])],
];

function ofTheRest() {
    return [
        ...single.map(([what, rule, kind, name, change]) => [what, rule, mutated => change(find(mutated, kind, name))]),
        ...['appendonly yes', 'maxmemory-policy noeviction', 'aclfile /mnt/secrets/redis-users'].map(line => [
            `redis.conf without ${line}`,
            'redis',
            mutated => (configOf(mutated, 'redis').data['redis.conf'] = configOf(mutated, 'redis').data['redis.conf'].replace(line, '')),
        ]),
        ['a Secret in the cluster', 'secrets', mutated => mutated.push({ kind: 'Secret', metadata: { name: 'x', namespace: 'jobgate' } })],
        ['DRAIN_S that the grace does not cover', 'draining', mutated => (configOf(mutated, 'worker').data.DRAIN_S = '611')],
        ...['ingress-keda', 'ingress-prometheus', 'ingress-gateway'].map(name => [
            `${name} is missing`,
            'ingress',
            mutated => mutated.splice(mutated.indexOf(find(mutated, 'NetworkPolicy', name)), 1),
        ]),
        ...['egress-dns', 'egress-entra', 'egress-private-endpoints'].map(name => [
            `${name} is missing`,
            'egress',
            mutated => mutated.splice(mutated.indexOf(find(mutated, 'NetworkPolicy', name)), 1),
        ]),
    ];
}
