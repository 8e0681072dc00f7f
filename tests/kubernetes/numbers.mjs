// What the kubelet goes by in a workload.
import { quantity } from './objects.mjs';

export function numbersOf({ object, pod, containers: [container] }) {
    const { readinessProbe, livenessProbe, startupProbe, lifecycle, resources } = container;
    const rolling = object.spec.strategy.rollingUpdate;
    return {
        grace: pod.terminationGracePeriodSeconds,
        pre_stop: lifecycle?.preStop?.sleep?.seconds ?? 0,
        min_ready: object.spec.minReadySeconds ?? 0,
        max_unavailable: rolling.maxUnavailable,
        ready_path: readinessProbe.httpGet.path,
        ready_period: readinessProbe.periodSeconds,
        ready_failures: readinessProbe.failureThreshold,
        live_path: livenessProbe.httpGet.path,
        live_period: livenessProbe.periodSeconds,
        live_failures: livenessProbe.failureThreshold,
        start_path: startupProbe.httpGet.path,
        start_failures: startupProbe.failureThreshold,
        cpu_ms_per_s: quantity(resources.limits.cpu) * 1000,
        memory_bytes: quantity(resources.limits.memory),
    };
}
