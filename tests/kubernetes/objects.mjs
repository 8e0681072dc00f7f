// Rendered objects, and how to find one's way in them.
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';

export function load(file) {
    return parseAllDocuments(readFileSync(file, 'utf8'))
        .map(document => document.toJS())
        .filter(Boolean);
}

export const titleOf = object => `${object.kind}/${object.metadata.name}`;
export const ofKind = (objects, ...kinds) => objects.filter(object => kinds.includes(object.kind));
export const find = (objects, kind, name) =>
    objects.find(object => object.kind === kind && object.metadata.name === name);

/** Deployments and the like, each with its pod template at hand. */
export function workloads(objects) {
    return ofKind(objects, 'Deployment', 'StatefulSet', 'DaemonSet', 'Job').map(object => ({
        object,
        title: titleOf(object),
        component: object.metadata.labels?.['app.kubernetes.io/component'],
        labels: object.spec.template.metadata?.labels ?? {},
        pod: object.spec.template.spec,
        containers: [
            ...(object.spec.template.spec.containers ?? []),
            ...(object.spec.template.spec.initContainers ?? []),
        ],
    }));
}

/** Whether a label selector selects these labels. */
export function selects(selector, labels) {
    const expressions = selector?.matchExpressions ?? [];
    return (
        Object.entries(selector?.matchLabels ?? {}).every(([name, value]) => labels[name] === value) &&
        expressions.every(({ key, operator, values }) =>
            operator === 'In' ? values.includes(labels[key]) : operator === 'Exists' ? key in labels : false,
        )
    );
}

/** A quantity ("250m", "128Mi") as a number. */
export function quantity(text) {
    const [, number, unit] = /^([0-9.]+)(m|k|M|G|Ki|Mi|Gi)?$/.exec(String(text ?? '')) ?? [];
    const factors = { m: 1e-3, k: 1e3, M: 1e6, G: 1e9, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };
    return number === undefined ? NaN : Number(number) * (factors[unit] ?? 1);
}

/** The settings of a workload's only container: what its ConfigMaps say, then its own. */
export function environmentOf(objects, workload) {
    const environment = {};
    for (const { configMapRef } of workload.containers[0]?.envFrom ?? [])
        Object.assign(environment, find(objects, 'ConfigMap', configMapRef?.name)?.data);
    for (const { name, value } of workload.containers[0]?.env ?? []) environment[name] = value;
    return environment;
}
