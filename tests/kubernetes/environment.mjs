// Prints what a container gets from a rendered file, for those who play the kubelet:
//
//   environment.mjs FILE settings WORKLOAD         its settings, NAME=value, one a line
//   environment.mjs FILE secret NAME MEMBER        a member of a Secret
//   environment.mjs FILE numbers WORKLOAD          what the kubelet goes by, name=value, one a line
//   environment.mjs FILE file CONFIGMAP MEMBER     a member of a ConfigMap, whose name may have a hash behind it
import { numbersOf } from './numbers.mjs';
import { environmentOf, find, load, ofKind, workloads } from './objects.mjs';

const [file, what, name, member] = process.argv.slice(2);
const objects = load(file);
const workload = () => workloads(objects).find(one => one.object.metadata.name === name);

const lines = members => Object.entries(members).map(([key, value]) => `${key}=${value}`).join('\n');
const answers = {
    settings: () => lines(environmentOf(objects, workload())),
    secret: () => find(objects, 'Secret', name).stringData[member],
    numbers: () => lines(numbersOf(workload())),
    file: () => ofKind(objects, 'ConfigMap').find(one => one.metadata.name.replace(/-[0-9a-z]{10}$/, '') === name).data[member],
};
console.log(answers[what]());
