/** `conformance ca|seal PATH`: the samples of a certification authority or of a maker of seals, before either comes into a trust list. */
import type { Command } from 'commander'
import { formatTable } from '../../console/terminal/table.ts'
import type { Terminal } from '../../console/terminal/text.ts'
import { type AdmissionReport, writeReport } from './admission.ts'
import { admitCa } from './admission-ca.ts'
import { admitSealMaker } from './admission-seal.ts'

type Options = { readonly out?: string; readonly json?: boolean; readonly force?: boolean }
type Row = {
  readonly name: string
  readonly text: string
  readonly admit: (folder: string, now: number) => Promise<AdmissionReport>
}

const COMMANDS: readonly Row[] = [
  {
    name: 'ca',
    text: '检验电子认证机构的样例并出具报告。Runs the samples of a certification authority and reports',
    admit: admitCa,
  },
  {
    name: 'seal',
    text: '检验印章制作单位的样例并出具报告。Runs the samples of a maker of seals and reports',
    admit: admitSealMaker,
  },
]

function summary({ name, cases, passed }: AdmissionReport, files: readonly string[]): string {
  const wrong = cases.filter(({ ok }) => !ok)
  const rows = wrong.map(({ id, zh, en, expected, got, detail }) => ['✘', id, `${zh} ${en}`, expected, got, detail])
  const table = rows.length === 0 ? '' : `${formatTable(['', '样例 sample', '检查 check', '应 expected', '得 got', ''], rows)}\n`
  return `${passed ? '✔' : '✘'} ${name.zh} ${name.en}: ${cases.length - wrong.length}/${cases.length}\n\n${table}${files.map(file => `→ ${file}\n`).join('')}`
}

export function addAdmissionCommands(
  program: Command,
  { terminal, exit }: { readonly terminal: Terminal; readonly exit: (code: number) => void },
): void {
  for (const { name, text, admit } of COMMANDS)
    program
      .command(name)
      .description(text)
      .argument('<path>', '样例目录（含 manifest.json） folder of samples with its manifest.json')
      .option('--out <folder>', '报告目录，缺省为样例目录 folder for the report; that of the samples unless said')
      .option('--force', '覆盖已有报告 writes over a report that is there')
      .option('--json', '机器可读输出，不写文件 machine-readable output, and no file')
      .action(async (path: string, options: Options) => {
        const report = await admit(path, Date.now())
        if (options.json === true) terminal.out.write(`${JSON.stringify(report)}\n`)
        else terminal.out.write(summary(report, await writeReport(report, options.out ?? path, options.force === true)))
        exit(report.passed ? 0 : 1)
      })
}
