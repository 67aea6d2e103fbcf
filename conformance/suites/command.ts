/** `conformance suite`: runs a published suite from a file or folder. */
import { Argument, type Command } from 'commander'
import type { Terminal } from '../../console/terminal/text.ts'
import { formatResult } from './report.ts'
import { isRight, runCases } from './suite.ts'
import { SUITES } from './suites.ts'

type Options = { readonly json?: boolean; readonly all?: boolean }

const PROGRESS_EVERY = 100

/** Answers whether every case that applies came out as the suite expects. */
async function runSuite(name: string, path: string, options: Options, { out, err }: Terminal): Promise<boolean> {
  const suite = SUITES.find(one => one.name === name)
  if (suite === undefined) throw new RangeError(`expected one of ${SUITES.map(one => one.name).join(', ')}`)
  const cases = await suite.read(path)
  const told = (done: number): void =>
    void (err.isTTY === true && done % PROGRESS_EVERY === 0 && err.write(`\r\u001b[2K${done}/${cases.length}`))
  const result = await runCases(suite.name, cases, told)
  if (err.isTTY === true) err.write('\r\u001b[2K')
  out.write(options.json === true ? `${JSON.stringify(result)}\n` : formatResult(suite, result, options.all === true))
  return result.cases.every(one => one.got === 'not-applicable' || isRight(one))
}

export function addSuiteCommand(
  program: Command,
  { terminal, exit }: { readonly terminal: Terminal; readonly exit: (code: number) => void },
): void {
  program
    .command('suite')
    .description('运行公开的测试套件。Runs a published suite of cases')
    .addArgument(new Argument('<suite>', '套件 suite').choices(SUITES.map(({ name }) => name)))
    .argument('<path>', '文件或目录 file or folder')
    .option('--json', '机器可读输出 machine-readable output')
    .option('--all', '列出全部用例 lists every case')
    .action(async (name: string, path: string, options: Options) => exit((await runSuite(name, path, options, terminal)) ? 0 : 1))
}
