// node schemas.js MODULES OBJECTS: checks objects (a JSON line each: source, object) against the packages @kubernetes-models,
// which are in the folder MODULES. Their validators know types, enums and what is required, and let unknown keys pass, as
// the API server does: so keys are compared with the type declarations as well. A typo is one.
'use strict';
const fs = require('fs');
const path = require('path');

const modules = path.resolve(process.argv[2]);
const resolveModule = (name, from = modules) => require.resolve(name, {paths: [from]});

// Where a kind is: the module of its class.
function moduleOf(object) {
  const parts = object.apiVersion.split('/');
  if (parts[0] === 'monitoring.coreos.com') return `@kubernetes-models/prometheus-operator/${object.apiVersion}/${object.kind}`;
  return `kubernetes-models/${object.apiVersion}/${object.kind}`;
}

// ---- type declarations: interfaces whose members are types

class Declarations {
  constructor(file) {
    this.file = file;
    const text = fs.readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
    this.imports = new Map();
    this.aliases = new Map();
    this.types = new Map();
    for (const [, names, from] of text.matchAll(/import (?:type )?\{([^}]*)\} from "([^"]+)"/g))
      for (const name of names.split(',')) this.imports.set(name.trim().split(' as ').pop(), [name.trim().split(' as ')[0], from]);
    for (const [, names] of text.matchAll(/export (?:type )?\{([^}]*)\}/g))
      for (const name of names.split(',')) {
        const [own, outside] = name.trim().split(' as ');
        this.aliases.set(outside || own, own);
      }
    for (const match of text.matchAll(/export interface (\w+)(?: extends \w+)? (?=\{)/g))
      this.types.set(match[1], new Parser(text, match.index + match[0].length).type());
    for (const match of text.matchAll(/export (?:declare )?type (\w+) = /g))
      this.types.set(match[1], new Parser(text, match.index + match[0].length).type());
  }

  static of(file) {
    if (!Declarations.known.has(file)) Declarations.known.set(file, new Declarations(file));
    return Declarations.known.get(file);
  }

  // The type of that name, and the declarations that it was found in.
  find(name) {
    const own = this.types.get(name) || this.types.get(this.aliases.get(name));
    if (own) return [own, this];
    const imported = this.imports.get(name);
    if (!imported) return null;
    const [outside, from] = imported;
    const file = from.startsWith('.') ? path.resolve(path.dirname(this.file), from.replace(/\.js$/, '') + '.d.ts')
                                      : resolveModule(from, path.dirname(this.file)).replace(/\.m?js$/, '.d.ts');
    return Declarations.of(file).find(outside);
  }
}
Declarations.known = new Map();

class Parser {
  constructor(text, at) {
    this.tokens = /\s*("(?:[^"\\]|\\.)*"|[A-Za-z_$][\w$.]*|-?\d[\d.]*|[{}[\]()<>|&?:;,])/y;
    this.tokens.lastIndex = at;
    this.text = text;
    this.next();
  }
  next() {
    const match = this.tokens.exec(this.text);
    this.token = match ? match[1] : '';
  }
  take(token) {
    if (this.token !== token) return false;
    this.next();
    return true;
  }
  need(token) {
    if (!this.take(token)) throw new Error(`expected ${token}, got ${this.token}`);
  }
  type() {
    const any = [];
    do any.push(this.one());
    while (this.take('|') || this.take('&'));
    return any.length === 1 ? any[0] : {any};
  }
  one() {
    let type;
    if (this.take('(')) {
      type = this.type();
      this.need(')');
    } else if (this.take('{')) {
      type = this.members();
    } else {
      type = {name: this.token};
      this.next();
      if (this.take('<')) {
        type.of = [];
        do type.of.push(this.type());
        while (this.take(','));
        this.need('>');
      }
    }
    while (this.take('[')) {
      this.need(']');
      type = {name: 'Array', of: [type]};
    }
    return type;
  }
  members() {
    const members = new Map();
    let others = null;
    while (!this.take('}')) {
      if (this.take('[')) {
        while (!this.take(']')) this.next();
        this.need(':');
        others = this.type();
      } else {
        const name = this.token.replace(/^"|"$/g, '');
        this.next();
        this.take('?');
        this.need(':');
        members.set(name, this.type());
      }
      this.take(';') || this.take(',');
    }
    return {members, others};
  }
}

// Keys of `value` that `type` does not have.
function unknownKeys(type, declarations, value, where) {
  if (value === null || typeof value !== 'object') return [];
  if (type.any) {
    const tries = type.any.map((t) => unknownKeys(t, declarations, value, where));
    return tries.reduce((best, t) => (t.length < best.length ? t : best));
  }
  if (type.members) {
    if (Array.isArray(value)) return [];
    return Object.entries(value).flatMap(([key, item]) => {
      const member = type.members.get(key) || type.others;
      return member ? unknownKeys(member, declarations, item, `${where}/${key}`) : [`${where}/${key}: no such field`];
    });
  }
  if (type.name === 'Array' && Array.isArray(value))
    return value.flatMap((item, i) => unknownKeys(type.of[0], declarations, item, `${where}/${i}`));
  const found = declarations.find(type.name);
  if (found) return unknownKeys(found[0], found[1], value, where);
  if (['unknown', 'any', 'object'].includes(type.name)) return [];
  return [`${where}: ${type.name} is declared nowhere`];
}

function problemsOf(object) {
  const name = moduleOf(object);
  let file;
  try {
    file = resolveModule(name);
  } catch (error) {
    return [`no schema for ${object.apiVersion} ${object.kind}`];
  }
  const problems = [];
  try {
    new (require(file)[object.kind])(object).validate();
  } catch (error) {
    problems.push(...(error.errors || [error]).map((e) => `${e.instancePath || ''} ${e.message}`));
  }
  const declarations = Declarations.of(file.replace(/\.m?js$/, '.d.ts'));
  return problems.concat(unknownKeys({name: `I${object.kind}`}, declarations, object, ''));
}

// What must be found: a checker that finds nothing is broken.
const wrong = [
  {apiVersion: 'apps/v1', kind: 'Deployment', metadata: {name: 'a'}, spec: {selector: {}}},
  {apiVersion: 'apps/v1', kind: 'Deployment', metadata: {name: 'a'},
   spec: {selector: {}, replicas: '2', template: {spec: {containers: [{name: 'a'}]}}}},
  {apiVersion: 'apps/v1', kind: 'Deployment', metadata: {name: 'a'},
   spec: {selector: {}, template: {spec: {containers: [{name: 'a', livenesProbe: {}}]}}}},
  {apiVersion: 'v1', kind: 'Service', metadata: {name: 'a', labls: {}}, spec: {}},
  {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'a'}, data: {x: 1}},
  {apiVersion: 'v1', kind: 'Confgmap', metadata: {name: 'a'}},
  {apiVersion: 'monitoring.coreos.com/v1', kind: 'PodMonitor', metadata: {name: 'a'}, spec: {selector: {}}},
  {apiVersion: 'monitoring.coreos.com/v1', kind: 'PodMonitor', metadata: {name: 'a'},
   spec: {selector: {}, podMetricsEndpoints: [{port: 'a', intervall: '1s'}]}},
  {apiVersion: 'monitoring.coreos.com/v1', kind: 'PrometheusRule', metadata: {name: 'a'}, spec: {groups: [{name: 'g', rules: [{alert: 'a'}]}]}},
];

let failed = 0;
for (const object of wrong) {
  if (problemsOf(object).length) continue;
  console.log(`nothing is found wrong with ${JSON.stringify(object)}`);
  failed++;
}
const lines = fs.readFileSync(process.argv[3], 'utf8').split('\n').filter(Boolean);
for (const line of lines) {
  const {source, object} = JSON.parse(line);
  for (const problem of problemsOf(object)) {
    console.log(`${source}: ${object.kind} ${object.metadata.name}: ${problem}`);
    failed++;
  }
}
if (lines.length < 50) {
  console.log(`only ${lines.length} objects`);
  failed++;
}
console.log(`${lines.length} objects against the schemas: ${failed} problem(s)`);
process.exit(failed ? 1 : 0);
