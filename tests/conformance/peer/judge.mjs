// Judges the checks: puts each fault into the peer, and holds that the checks which are about it fail.
// node judge.mjs [a word of the fault's name]

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { faults } from './faults.mjs';

const run = join(dirname(fileURLToPath(import.meta.url)), 'run.sh');
const folder = mkdtempSync(join(tmpdir(), 'judge-'));
let unfound = 0;
for (const [name, { plans, found, fapi }] of Object.entries(faults).filter(([name]) => name.includes(process.argv[2] ?? ''))) {
  const table = join(folder, 'table.md');
  const ended = spawnSync(run, [table, '--plans', plans, '--code-reuse-wait', '1', '--key-rotation-wait', '1', '--refresh-reuse-wait', '1'],
    { env: { ...process.env, FAULT: name, FAPI: fapi ? '1' : '' }, encoding: 'utf8' });
  if (ended.status !== 1) {
    process.stdout.write(`${name}: run.sh ended with ${ended.status}\n${ended.stderr}\n`);
    unfound += 1;
    continue;
  }
  const rows = readFileSync(table, 'utf8').split('\n').filter((line) => line.startsWith('| `') && line.includes('| FAIL'));
  const failed = new Set(rows.map((line) => line.split('`')[1]));
  const missing = found.filter((check) => !failed.has(check));
  process.stdout.write(`${name}: found by ${failed.size} checks${missing.length ? `, but NOT by ${missing.join(', ')}` : ''}\n`);
  unfound += missing.length;
}
rmSync(folder, { recursive: true });
process.exitCode = unfound ? 1 : 0;
