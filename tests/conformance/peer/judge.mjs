// Judges the checks: puts each fault into the peer, and holds that the checks which are about it fail, and no others where it says
// so. Checks that fail without a fault do not count.
// node judge.mjs [a word of the fault's name]

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { faults } from './faults.mjs';

const run = join(dirname(fileURLToPath(import.meta.url)), 'run.sh');
const folder = mkdtempSync(join(tmpdir(), 'judge-'));
const table = join(folder, 'table.md');

// The checks that fail with this fault, or without one; undefined if they do not run.
function failing(plans, fapi, fault) {
  rmSync(table, { force: true });
  const ended = spawnSync(run, [table, '--plans', plans, '--code-reuse-wait', '1', '--key-rotation-wait', '1', '--refresh-reuse-wait', '1'],
    { env: { ...process.env, FAULT: fault, FAPI: fapi ? '1' : '' }, encoding: 'utf8' });
  if (!existsSync(table)) {
    process.stdout.write(`${fault || 'without a fault'}: run.sh ended with ${ended.status}\n${ended.stderr}\n`);
    return undefined;
  }
  const rows = readFileSync(table, 'utf8').split('\n').filter((line) => line.startsWith('| `') && line.includes('| FAIL'));
  return new Set(rows.map((line) => line.split('`')[1]));
}

const withoutFault = new Map();
function ownOf(plans, fapi) {
  const key = `${plans} ${fapi}`;
  if (!withoutFault.has(key)) withoutFault.set(key, failing(plans, fapi, ''));
  return withoutFault.get(key) ?? new Set();
}

let wrong = 0;
for (const [name, { plans, found, only, fapi }] of Object.entries(faults).filter(([name]) => name.includes(process.argv[2] ?? ''))) {
  const failed = failing(plans, fapi, name);
  if (!failed) {
    wrong += 1;
    continue;
  }
  const own = ownOf(plans, fapi);
  const failedByFault = [...failed].filter((check) => !own.has(check));
  const missing = found.filter((check) => !failedByFault.includes(check));
  const others = failedByFault.filter((check) => !found.includes(check));
  const notes = [missing.length && `, but NOT by ${missing.join(', ')}`, others.length && `, ${only ? 'but ALSO' : 'also'} by ${others.join(', ')}`];
  process.stdout.write(`${name}: found by ${failedByFault.length} checks${notes.filter(Boolean).join('')}\n`);
  wrong += missing.length + (only ? others.length : 0);
}
rmSync(folder, { recursive: true });
process.exitCode = wrong ? 1 : 0;
