/** `conformance fuzz certificates`: bent certificates, revocation lists and signed messages, by the million. */
import { availableParallelism } from 'node:os'
import { Argument, type Command } from 'commander'
import { count } from '../../console/terminal/options.ts'
import type { Terminal } from '../../console/terminal/text.ts'
import { type Outcome, runCampaign } from './campaign.ts'
import { makeCase, runInput, shrink } from './cases.ts'
import { makeCorpus } from './corpus.ts'

type Options = {
  readonly cases: number
  readonly seed: number
  readonly case?: number
  readonly jobs: number
  readonly json?: boolean
}

const wholeNumber = (text: string): number => (text === '0' ? 0 : /^[1-9][0-9]{6,8}$/.test(text) ? Number(text) : count(text))

export function formatOutcome({ cases, seed, seconds, failures }: Outcome): string {
  const end = failures.length === 0 ? '✔ 全部守住界限 every case within bounds' : `✘ ${failures.length} 例失败 failed`
  return [
    `${cases} 例 cases, 种子 seed ${seed}, ${seconds} s: ${end}`,
    ...failures.map(one => `  #${one.number} ${one.target}: ${one.kind} ${one.message}\n  ${one.hex}`),
    '',
  ].join('\n')
}

async function runFuzz(options: Options, { out, err }: Terminal): Promise<boolean> {
  const { seed, cases, jobs, json } = options
  if (options.case !== undefined) {
    const corpus = makeCorpus()
    const one = makeCase(corpus, seed, options.case)
    const fault = runInput(corpus, one.target, one.bytes)
    const bytes = fault === null ? one.bytes : shrink(corpus, one, fault)
    out.write(
      `#${options.case} ${one.target.name}: ${fault === null ? '✔' : `✘ ${fault.kind} ${fault.message}`}\n${bytes.toString('hex')}\n`,
    )
    return fault === null
  }
  err.write(`种子 seed ${seed}\n`)
  let tenth = 0
  const outcome = await runCampaign({ cases, seed, jobs }, (done, failures) => {
    const line = `${done}/${cases}, ${failures} 例失败 failed`
    if (err.isTTY === true) err.write(`\r\u001b[2K${line}`)
    else if (Math.floor((done * 10) / cases) > tenth) {
      tenth = Math.floor((done * 10) / cases)
      err.write(`${line}\n`)
    }
  })
  if (err.isTTY === true) err.write('\r\u001b[2K')
  out.write(json === true ? `${JSON.stringify(outcome)}\n` : formatOutcome(outcome))
  return outcome.failures.length === 0
}

export function addFuzzCommand(
  program: Command,
  { terminal, exit }: { readonly terminal: Terminal; readonly exit: (code: number) => void },
): void {
  program
    .command('fuzz')
    .description('以变异的输入检验读取程序。Gives bent inputs to the readers')
    .addArgument(new Argument('<what>', '对象 what').choices(['certificates']))
    .option('--cases <count>', '例数 how many', wholeNumber, 100_000)
    .option('--seed <number>', '种子；默认随机 seed, at random unless given', wholeNumber)
    .option('--case <number>', '仅此一例，缩至最小 this one alone, made as small as it can be', wholeNumber)
    .option('--jobs <count>', '线程数 threads', count, Math.min(2, availableParallelism()))
    .option('--json', '机器可读输出 machine-readable output')
    .action(async (_what: string, { seed, ...options }: Omit<Options, 'seed'> & { seed?: number }) =>
      exit((await runFuzz({ ...options, seed: seed ?? Math.floor(Math.random() * 1e9) }, terminal)) ? 0 : 1),
    )
}
