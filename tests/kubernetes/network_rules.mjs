// Who may reach what: each rule gets the rendered objects and returns what is wrong, a line each.
import { readFileSync } from 'node:fs';
import { find, ofKind, selects, titleOf, workloads } from './objects.mjs';
import { seriesNames } from './tables.mjs';

const inJobgate = objects => ofKind(objects, 'NetworkPolicy').filter(one => one.metadata.namespace === 'jobgate');
const entra = ['20.20.32.0/19', '20.190.128.0/18', '20.231.128.0/19', '40.126.0.0/18'];
const portsOf = rule => (rule.ports ?? []).map(({ protocol, port, endPort }) => `${protocol} ${port}${endPort ? `-${endPort}` : ''}`).sort();
const namespacesOf = peer => {
    const { matchLabels = {}, matchExpressions = [] } = peer.namespaceSelector ?? {};
    return [matchLabels['kubernetes.io/metadata.name'], ...matchExpressions.flatMap(one => one.values)].filter(Boolean);
};

/** Everything is denied first, and each policy is about pods that are there. */
export function denied(objects) {
    const mistakes = [];
    const all = inJobgate(objects).find(one => one.spec.podSelector && Object.keys(one.spec.podSelector).length === 0);
    if (String([...(all?.spec.policyTypes ?? [])].sort()) !== 'Egress,Ingress' || all.spec.ingress || all.spec.egress)
        mistakes.push('nothing denies what no policy names');
    for (const policy of inJobgate(objects).filter(one => one !== all)) {
        const pods = workloads(objects).filter(one => selects(policy.spec.podSelector, one.labels));
        if (pods.length === 0) mistakes.push(`${titleOf(policy)}: selects no pod`);
        for (const { ports = [] } of policy.spec.ingress ?? [])
            for (const { port } of ports)
                for (const pod of pods)
                    if (!pod.containers[0].ports?.some(one => one.name === port)) mistakes.push(`${titleOf(policy)}: ${pod.title} has no port ${port}`);
    }
    return mistakes;
}

/** Out: DNS, Redis, storage and Entra; more only where a component opened it. */
export function egress(objects, { isLocal, opened = [] }) {
    const mistakes = [];
    const seen = new Set();
    for (const policy of inJobgate(objects))
        for (const rule of policy.spec.egress ?? [])
            for (const peer of rule.to ?? [{}]) {
                const kind = kindOf(peer, portsOf(rule), objects);
                seen.add(kind);
                if (!kind || (kind.startsWith('open:') && !opened.includes(policy.metadata.name)))
                    mistakes.push(`${titleOf(policy)}: opens ${JSON.stringify(peer)} on ${portsOf(rule)}`);
            }
    for (const needed of ['dns', ...(isLocal ? ['pods'] : ['private endpoints', 'entra'])])
        if (!seen.has(needed)) mistakes.push(`no way out to: ${needed}`);
    return mistakes;
}

function kindOf(peer, ports, objects) {
    const cidr = peer.ipBlock?.cidr;
    if (cidr && entra.includes(cidr) && String(ports) === 'TCP 443') return 'entra';
    if (cidr && /^10\.[\d.]+\/2\d$/.test(cidr) && String(ports) === 'TCP 10000,TCP 443,TCP 8500-8599') return 'private endpoints';
    if (cidr === '0.0.0.0/0' && peer.ipBlock.except?.includes('169.254.0.0/16') && peer.ipBlock.except.includes('10.0.0.0/8')) return 'open:public';
    if (!cidr && namespacesOf(peer).includes('kube-system') && String(ports) === 'TCP 53,UDP 53' && String(peer.podSelector?.matchExpressions?.[0]?.values) === 'kube-dns,node-local-dns')
        return 'dns';
    if (!cidr && namespacesOf(peer).includes('monitoring') && peer.podSelector && String(ports) === 'TCP 4318') return 'open:otlp';
    if (!cidr && peer.podSelector && !peer.namespaceSelector) {
        const pods = workloads(objects).filter(one => selects(peer.podSelector, one.labels));
        return pods.length === 1 && ['redis', 'azurite'].includes(pods[0].component) ? 'pods' : '';
    }
    return '';
}

/** In: the gateway to the port http; KEDA and Prometheus, and nothing else, to the ops port. */
export function ingress(objects) {
    const mistakes = [];
    for (const policy of inJobgate(objects))
        for (const rule of policy.spec.ingress ?? []) {
            if (!rule.from?.length || !rule.ports?.length) mistakes.push(`${titleOf(policy)}: from anywhere, or to any port`);
            for (const peer of rule.from ?? [])
                for (const { port } of rule.ports ?? [])
                    if (!mayReach(peer, port)) mistakes.push(`${titleOf(policy)}: lets ${JSON.stringify(peer)} to ${port}`);
        }
    if (find(objects, 'ScaledObject', 'jobgate-worker') && !find(objects, 'NetworkPolicy', 'ingress-keda')) mistakes.push('KEDA cannot reach the ops port');
    if (ofKind(objects, 'PodMonitor').length && !find(objects, 'NetworkPolicy', 'ingress-prometheus')) mistakes.push('Prometheus cannot reach the ops port');
    if (ofKind(objects, 'Gateway').length && !find(objects, 'NetworkPolicy', 'ingress-gateway')) mistakes.push('the gateway cannot reach the api');
    return mistakes;
}

function mayReach(peer, port) {
    const from = String(namespacesOf(peer));
    const labels = peer.podSelector?.matchLabels ?? {};
    if (port === 'http') return ['jobgate-gateway', 'app-routing-system'].includes(from) && !peer.ipBlock;
    if (port === 'redis' || port === 'blob') return from === '' && String(peer.podSelector?.matchExpressions?.[0]?.values) === 'api,worker';
    if (port !== 'ops') return false;
    return (
        (from === 'kube-system,keda' && labels.app === 'keda-operator') ||
        (from === 'kube-system' && labels.rsName === 'ama-metrics') ||
        (from === 'monitoring' && labels['app.kubernetes.io/name'] === 'prometheus')
    );
}

/** The way of a request: TLS at the edge, nothing served in the clear, and no way from there to the ops port. */
export function edge(objects) {
    const mistakes = [];
    const backends = [];
    for (const gateway of ofKind(objects, 'Gateway'))
        for (const listener of gateway.spec.listeners)
            if (listener.protocol !== 'HTTPS' && listener.allowedRoutes?.namespaces?.from !== 'Same')
                mistakes.push(`${titleOf(gateway)}: listener ${listener.name} takes routes to be served in the clear`);
    for (const route of ofKind(objects, 'HTTPRoute')) {
        const isSecure = route.spec.parentRefs.every(one => one.sectionName === 'https');
        for (const rule of route.spec.rules) {
            backends.push(...(rule.backendRefs ?? []).map(one => `${one.name}:${one.port}`));
            if (!isSecure && rule.backendRefs) mistakes.push(`${titleOf(route)}: serves in the clear`);
        }
    }
    for (const one of ofKind(objects, 'Ingress')) {
        if (!one.spec.tls?.length) mistakes.push(`${titleOf(one)}: serves in the clear`);
        for (const { http } of one.spec.rules)
            backends.push(...http.paths.map(({ backend: { service } }) => `${service.name}:${service.port.name}`));
    }
    for (const backend of backends)
        if (!['jobgate-api:80', 'jobgate-api:http'].includes(backend)) mistakes.push(`the edge leads to ${backend}`);
    const ports = find(objects, 'Service', 'jobgate-api')?.spec.ports ?? [];
    if (ports.length !== 1 || ports[0].targetPort !== 'http') mistakes.push('the Service jobgate-api leads to another port');
    if (ofKind(objects, 'Service').some(one => (one.spec.type ?? 'ClusterIP') !== 'ClusterIP')) mistakes.push('a Service can be reached from outside');
    return mistakes;
}

/** Prometheus finds both programs; the dashboard asks for series that they have. */
export function monitoring(objects) {
    const mistakes = [];
    const monitors = ofKind(objects, 'PodMonitor');
    if (monitors.length === 0) return mistakes;
    for (const { labels, title, component, containers } of workloads(objects).filter(one => ['api', 'worker'].includes(one.component))) {
        const monitor = monitors.find(one => selects(one.spec.selector, labels));
        const endpoint = monitor?.spec.podMetricsEndpoints?.[0];
        if (endpoint?.path !== '/metrics' || !containers[0].ports?.some(one => one.name === endpoint.port))
            mistakes.push(`${title}: no monitor reads its metrics (${component})`);
    }
    const text = find(objects, 'ConfigMap', 'jobgate-dashboard')?.data['dashboard.json'] ?? '{}';
    return [...mistakes, ...dashboardMistakes(JSON.parse(text))];
}

export function dashboardMistakes(dashboard) {
    const mistakes = [];
    const known = seriesNames();
    const panels = (dashboard.panels ?? []).flatMap(one => [one, ...(one.panels ?? [])]);
    const queries = panels.flatMap(panel => (panel.targets ?? []).map(target => ({ panel, ...target })));
    if (!(dashboard.schemaVersion >= 39) || !dashboard.uid || !dashboard.title) mistakes.push('dashboard: schemaVersion, uid or title');
    if (queries.length < 10) mistakes.push('dashboard: it shows next to nothing');
    if (!dashboard.templating?.list?.some(one => one.type === 'datasource' && one.name === 'DS_PROMETHEUS')) mistakes.push('dashboard: no data source to choose');
    const ids = panels.map(one => one.id);
    if (new Set(ids).size !== ids.length) mistakes.push('dashboard: two panels have one id');
    for (const { panel, expr = '', datasource } of queries) {
        const names = expr.match(/\b(jobgate|process)_[a-z0-9_]+/g) ?? [];
        if (names.length === 0) mistakes.push(`dashboard: "${panel.title}" asks for nothing of ours`);
        for (const name of names) if (!known.has(name)) mistakes.push(`dashboard: "${panel.title}": no program has ${name}`);
        if ((datasource ?? panel.datasource)?.uid !== '${DS_PROMETHEUS}') mistakes.push(`dashboard: "${panel.title}" has a data source of its own`);
    }
    for (const panel of panels.filter(one => one.type !== 'row'))
        if (!panel.title || !panel.description || !panel.gridPos) mistakes.push(`dashboard: panel ${panel.id} says not what it shows`);
    return mistakes;
}

export const readDashboard = () => JSON.parse(readFileSync('kubernetes/components/monitoring/dashboard.json', 'utf8'));
