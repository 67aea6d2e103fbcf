/** `hutong bundle …`, `hutong quarantine …`, `hutong proof …` and `hutong ledger …`: what the command line understands of them. */
import { type Command, Option } from 'commander'
import { type ExportOptions, runExport, runImport } from './bundle.ts'
import { ADAPTERS } from './ingest.ts'
import { runLedgerVerify } from './ledger.ts'
import {
  type Around,
  atNodeOption,
  atOption,
  audienceOption,
  count,
  type Given,
  type Json,
  jsonOption,
  place,
  settled,
} from './options.ts'
import { type ProofExportOptions, runProofExport } from './proof.ts'
import { type ListOptions, type ReleaseOptions, runQuarantineList, runQuarantineRelease } from './quarantine.ts'
import { type ReopenOptions, runReopen } from './reopen.ts'

type At = Json & { readonly at: string }

export function addLedgerCommands(program: Command, around: Around): void {
  addBundleCommands(program, around)
  addQuarantineCommands(program, around)
  addProofCommands(program, around)
  addOwnCommands(program, around)
}

function addBundleCommands(program: Command, { federation, terminal, exit }: Around): void {
  const bundle = program.command('bundle').description('以文件携带日志链，可跨网闸。Logs as one file, to carry across an air gap')
  type ExportFlags = Given<ExportOptions, 'logs' | 'resume'> & { readonly log: readonly string[]; readonly resume?: boolean }
  bundle
    .command('export')
    .description('把日志链的一段写入文件。Writes ranges of logs to a file')
    .addOption(atOption('--from, --at'))
    .requiredOption('--log <log...>', '来源/数据集/范围，可多条 origin/dataset/audience, one or several')
    .addOption(new Option('--all', '整条日志链（默认） the whole log (the default)').conflicts(['epoch', 'fromSeq', 'toSeq']))
    .option('--epoch <number>', '仅此纪元 of this epoch only', place)
    .option('--from-seq <number>', '起始序号 first position', place)
    .option('--to-seq <number>', '终止序号 last position', place)
    .requiredOption('--out <file>', '目标文件 file to write')
    .option('--resume', '续写已有文件 goes on behind the last whole entry of the file')
    .addOption(jsonOption())
    .action(async ({ log, resume = false, ...flags }: ExportFlags) =>
      exit(await runExport(await federation(), { ...settled(flags), logs: log, resume }, terminal)),
    )
  bundle
    .command('import')
    .description('把文件交给枢纽或节点；重复导入无害。Gives a file to a hub or node; doing it again is harmless')
    .argument('<file>', '文件 file')
    .addOption(atOption())
    .addOption(jsonOption())
    .action(async (path: string, flags: At) => exit(await runImport(await federation(), path, settled(flags), terminal)))
}

function addQuarantineCommands(program: Command, { federation, terminal, exit }: Around): void {
  const quarantine = program.command('quarantine').description('隔离区。What was refused')
  quarantine
    .command('list')
    .description('隔离区内容，新者在前。What stands there, newest first')
    .addOption(atOption())
    .option('--code <code>', '仅此代码 of this code only')
    .addOption(new Option('--kind <kind>', '仅此种类 of this kind only').choices(['envelope', 'record', 'row', 'proof']))
    .option('--limit <number>', '条数，至多 500 how many, 500 at most', count, 100)
    .addOption(jsonOption())
    .action(async (flags: Given<ListOptions>) => exit(await runQuarantineList(await federation(), settled(flags), terminal)))
  quarantine
    .command('release')
    .description('故障排除后重新处理；仍不合格者留在隔离区。Takes up again what was mended; what still fails stays')
    .argument('[id...]', '编号 numbers')
    .addOption(atOption())
    .option('--code <code>', '此代码的全部 everything under this code')
    .option('--mapping <file>', '行改用此映射文件（或内置名） reads rows with this mapping file, or a shipped one')
    .addOption(
      new Option('--adapter <name>', '内置映射所属适配器 adapter of a shipped mapping').choices([...ADAPTERS]).default('csv'),
    )
    .addOption(jsonOption())
    .action(async (ids: string[], flags: Given<ReleaseOptions>) =>
      exit(await runQuarantineRelease(await federation(), ids, settled(flags), terminal)),
    )
}

function addProofCommands(program: Command, { federation, terminal, exit }: Around): void {
  program
    .command('proof')
    .description('矛盾证明。Proofs that somebody has signed what cannot both be true')
    .command('export')
    .description(
      '把一份证明写入文件，可凭成员文件离线验证。Writes a proof to a file, which verifies offline with the membership file',
    )
    .argument('<log>', '来源/数据集/范围，或 hub origin/dataset/audience, or hub')
    .option('--at <program>', '向谁索取；默认逐一询问 whom to ask; one after another unless given')
    .option('--number <number>', '对枢纽的第几份 which of those against the hub', count, 1)
    .requiredOption('-o, --out <file>', '目标文件 file to write')
    .addOption(jsonOption())
    .action(async (log: string, flags: Given<ProofExportOptions, 'log'>) =>
      exit(await runProofExport(await federation(), { ...settled(flags), log }, terminal)),
    )
}

function addOwnCommands(program: Command, { federation, terminal, exit }: Around): void {
  const ledger = program.command('ledger').description('账本。The ledger of a hub or node')
  ledger
    .command('verify')
    .description(
      '重算数据库中的全部摘要、签名与链，并核对副本；有不符则返回 1。Re-hashes what stands in the database and compares the replica; 1 if something was edited',
    )
    .addOption(atOption())
    .addOption(jsonOption())
    .action(async (flags: At) => exit(await runLedgerVerify(await federation(), settled(flags), terminal)))
  type ReopenFlags = Given<ReopenOptions, 'dataset' | 'without' | 'yes'> & {
    readonly without?: readonly string[]
    readonly yes?: boolean
  }
  ledger
    .command('reopen')
    .description(
      '恢复自旧备份后，末尾条目已无处可取时：先列出将声明遗失者，--yes 即声明遗失并开启新纪元。After a restore from an old backup, where the last entries can be had from nobody: shows what would be declared lost; --yes declares it and opens a new epoch',
    )
    .argument('<dataset>', '数据集 dataset')
    .addOption(atNodeOption())
    .addOption(audienceOption())
    .option('--without <program...>', '不再等待其应答或交付者 go on without these, though they may hold some of it')
    .option('--yes', '确认 do it')
    .addOption(jsonOption())
    .action(async (dataset: string, { without = [], yes = false, ...flags }: ReopenFlags) =>
      exit(await runReopen(await federation(), { ...settled(flags), dataset, without, yes }, terminal)),
    )
}
