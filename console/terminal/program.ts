/** The `hutong` command: what it understands, apart from the process it runs in. */
import { join } from 'node:path'
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import type { Environment } from '../../runtime/environment.ts'
import { RETRACT_REASONS, type RetractReason } from '../../schemas/record.ts'
import { addAccessCommands, addAuditCommands } from './access-commands.ts'
import { runExport, runImport } from './bundle.ts'
import { type FederationFile, readFederationFile } from './federation-file.ts'
import { ADAPTERS, runIngest } from './ingest.ts'
import { runLedgerVerify } from './ledger.ts'
import { addMembershipCommands } from './membership-commands.ts'
import { runProofExport } from './proof.ts'
import { runQuarantineList, runQuarantineRelease } from './quarantine.ts'
import { runRedact } from './redact.ts'
import { runReopen } from './reopen.ts'
import { runSamples } from './samples.ts'
import { runShow } from './show.ts'
import { runStatus } from './status.ts'
import { formatError, type Terminal } from './text.ts'
import { runVerify } from './verify.ts'

export const EXIT = { ok: 0, fault: 1, usage: 2 } as const
const DEFAULT_HOME = '.hutong'

type Json = { readonly json?: boolean }
type IngestFlags = Json & {
  readonly node: string
  readonly adapter: (typeof ADAPTERS)[number]
  readonly mapping?: string
  readonly platform?: string
}

type RedactFlags = Json & {
  readonly at: string
  readonly dataset: string
  readonly key: string
  readonly why: RetractReason
  readonly audience?: string
}

type ReopenFlags = Json & { readonly audience?: string; readonly without?: readonly string[]; readonly yes?: boolean }

const jsonOption = (): Option => new Option('--json', '机器可读输出 machine-readable output')
const filled = <T extends object>(fields: { readonly [name: string]: unknown }): T =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T

/** Runs one command line, without the program's name. Answers the exit code; never rejects. */
export async function runCommandLine(args: readonly string[], env: Environment, terminal: Terminal): Promise<number> {
  let exitCode: number = EXIT.ok
  const command = buildCommand(env, terminal, code => {
    exitCode = code
  })
  try {
    await command.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    terminal.err.write(formatError(error))
    return EXIT.fault
  }
}

function buildCommand(env: Environment, terminal: Terminal, exit: (code: number) => void): Command {
  const program = new Command('hutong')
    .description(
      '互通：联盟的命令行。The command line of a Hutong federation.\n退出码 exit codes: 0 正常 fine, 1 故障或否定结论 a fault or a negative finding, 2 用法错误 usage',
    )
    .option('--home <folder>', '联盟目录 folder of the federation (HUTONG_HOME)', env.HUTONG_HOME || DEFAULT_HOME)
    .helpCommand(false)
    .showHelpAfterError('（--help 查看用法 shows how to use it）')
    .exitOverride()
    .configureOutput({ writeOut: text => terminal.out.write(text), writeErr: text => terminal.err.write(text) })
  const home = (): string => program.opts<{ home: string }>().home
  const federation = (): Promise<FederationFile> => readFederationFile(home())

  program
    .command('status')
    .description(
      '各持有方处每条日志链的位置；有应答即返回 0，是否一致见 converged。Where every log stands at every holder; 0 when anybody answers, `converged` says whether they agree',
    )
    .addOption(jsonOption())
    .action(async ({ json = false }: Json) => exit(await runStatus(await federation(), { json }, terminal)))

  program
    .command('samples')
    .description('样例交易系统的开关。Switches the sample trading systems')
    .addArgument(new Argument('<action>', '暂停或恢复 pause or resume').choices(['pause', 'resume']))
    .addOption(jsonOption())
    .action(async (action: 'pause' | 'resume', { json = false }: Json) =>
      exit(await runSamples(await federation(), action, { json }, terminal)),
    )

  program
    .command('ingest')
    .description('把文件交给节点。Gives files to a node')
    .argument('<file...>', '文件或目录 files or folders')
    .requiredOption('--node <code>', '成员代码 code of the member')
    .addOption(new Option('--adapter <name>', '适配器 adapter').choices([...ADAPTERS]).makeOptionMandatory())
    .option('--mapping <file>', '映射文件，或内置映射名（entities） mapping file, or the name of a shipped one (entities)')
    .option('--platform <code>', '行内未注明时的平台代码 PLATFORM_CODE of rows that name none')
    .addOption(jsonOption())
    .action(async (paths: string[], { node, adapter, mapping, platform, json = false }: IngestFlags) =>
      exit(
        await runIngest(
          await federation(),
          paths,
          { node, adapter, json, ...filled<{ mapping?: string; platform?: string }>({ mapping, platform }) },
          terminal,
        ),
      ),
    )

  program
    .command('show')
    .description('某节点所见的一条记录。One record as a node shows it')
    .argument('<dataset>', '数据集 dataset')
    .argument('<key>', '键 key')
    .requiredOption('--at <node>', '成员代码 code of the member whose node is asked')
    .option('--origin <code>', '仅此来源 of this origin only')
    .addOption(jsonOption())
    .action(async (dataset: string, key: string, { at, origin, json = false }: Json & { at: string; origin?: string }) =>
      exit(await runShow(await federation(), dataset, key, { at, json, ...filled<{ origin?: string }>({ origin }) }, terminal)),
    )

  program
    .command('redact')
    .description(
      '删除一个键已撤回或已被取代的全部版本，各持有方一并删除。Erases every retracted or superseded version of a key, at every holder',
    )
    .requiredOption('--at <node>', '成员代码 code of the member whose node signs')
    .requiredOption('--dataset <name>', '数据集 dataset')
    .requiredOption('--key <key>', '键 key')
    .addOption(new Option('--why <reason>', '原因 reason').choices([...RETRACT_REASONS]).makeOptionMandatory())
    .option('--audience <name>', '范围；默认 all audience, all unless given')
    .addOption(jsonOption())
    .action(async ({ json = false, audience, ...order }: RedactFlags) =>
      exit(await runRedact(await federation(), { ...order, json, ...filled<{ audience?: string }>({ audience }) }, terminal)),
    )

  program
    .command('verify')
    .description(
      '离线验证信封、回执、链头、删除声明或矛盾证明文件。Verifies a file with an envelope, receipt, head, redaction or proof, offline',
    )
    .argument('<file>', '文件 file')
    .option('--membership <file>', '成员文件；默认取联盟目录中的 membership file; that of the federation unless given')
    .addOption(jsonOption())
    .action(async (path: string, { membership, json = false }: Json & { membership?: string }) =>
      exit(await runVerify(path, { membershipFile: membership ?? join(home(), 'membership.json'), json }, terminal)),
    )

  addBundleCommands(program, { federation, terminal, exit })
  addQuarantineCommands(program, { federation, terminal, exit })
  addProofCommands(program, { federation, terminal, exit })
  addMembershipCommands(program, { federation, terminal, exit })
  addAccessCommands(program, { federation, terminal, exit })
  addAuditCommands(program, { federation, terminal, exit, membershipFile: () => join(home(), 'membership.json') })
  const ledger = program.command('ledger').description('账本。The ledger of a hub or node')
  ledger
    .command('reopen')
    .description(
      '恢复自旧备份后，末尾条目已无处可取时：先列出将声明遗失者，--yes 即声明遗失并开启新纪元。After a restore from an old backup, where the last entries can be had from nobody: shows what would be declared lost; --yes declares it and opens a new epoch',
    )
    .argument('<node>', '成员代码 code of the member')
    .argument('<dataset>', '数据集 dataset')
    .option('--audience <name>', '范围；默认 all audience, all unless given')
    .option('--without <program...>', '不再等待其应答或交付者 go on without these, though they may hold some of it')
    .option('--yes', '确认 do it')
    .addOption(jsonOption())
    .action(async (node: string, dataset: string, { audience, without = [], yes = false, json = false }: ReopenFlags) =>
      exit(
        await runReopen(
          await federation(),
          { node, dataset, without, yes, json, ...filled<{ audience?: string }>({ audience }) },
          terminal,
        ),
      ),
    )
  ledger
    .command('verify')
    .description(
      '重算数据库中的全部摘要、签名与链，并核对副本；有不符则返回 1。Re-hashes what stands in the database and compares the replica; 1 if something was edited',
    )
    .addOption(atOption())
    .addOption(jsonOption())
    .action(async ({ at, json = false }: Json & { at: string }) =>
      exit(await runLedgerVerify(await federation(), { at, json }, terminal)),
    )
  return program
}

type Around = {
  readonly federation: () => Promise<FederationFile>
  readonly terminal: Terminal
  readonly exit: (code: number) => void
}
type ExportFlags = Json & {
  readonly from: string
  readonly log: readonly string[]
  readonly epoch?: number
  readonly fromSeq?: number
  readonly toSeq?: number
  readonly out: string
  readonly resume?: boolean
}

const atOption = (): Option =>
  new Option('--at <program>', '枢纽（hub）或成员代码 hub, or the code of a member').makeOptionMandatory()

const count = (text: string): number => {
  if (/^(0|[1-9][0-9]{0,9})$/.test(text)) return Number(text)
  throw new InvalidArgumentError('应为整数 expected a whole number')
}

function addBundleCommands(program: Command, { federation, terminal, exit }: Around): void {
  const bundle = program.command('bundle').description('以文件携带日志链，可跨网闸。Logs as one file, to carry across an air gap')
  bundle
    .command('export')
    .description('把日志链的一段写入文件。Writes ranges of logs to a file')
    .requiredOption('--from <program>', '枢纽（hub）或成员代码 hub, or the code of a member')
    .requiredOption('--log <log...>', '来源/数据集/范围，可多条 origin/dataset/audience, one or several')
    .addOption(new Option('--all', '整条日志链（默认） the whole log (the default)').conflicts(['epoch', 'fromSeq', 'toSeq']))
    .option('--epoch <number>', '仅此纪元 of this epoch only', count)
    .option('--from-seq <number>', '起始序号 first position', count)
    .option('--to-seq <number>', '终止序号 last position', count)
    .requiredOption('--out <file>', '目标文件 file to write')
    .option('--resume', '续写已有文件 goes on behind the last whole entry of the file')
    .addOption(jsonOption())
    .action(async ({ from, log, epoch, fromSeq, toSeq, out, resume = false, json = false }: ExportFlags) => {
      const range = filled<{ epoch?: number; fromSeq?: number; toSeq?: number }>({ epoch, fromSeq, toSeq })
      exit(await runExport(await federation(), { from, logs: log, out, resume, json, ...range }, terminal))
    })
  bundle
    .command('import')
    .description('把文件交给枢纽或节点；重复导入无害。Gives a file to hub or node; again is harmless')
    .argument('<file>', '文件 file')
    .addOption(atOption())
    .addOption(jsonOption())
    .action(async (path: string, { at, json = false }: Json & { at: string }) =>
      exit(await runImport(await federation(), path, { at, json }, terminal)),
    )
}

type ProofFlags = Json & { readonly at?: string; readonly number: number; readonly out: string }

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
    .action(async (log: string, { at, number, out, json = false }: ProofFlags) =>
      exit(await runProofExport(await federation(), { log, number, out, json, ...filled<{ at?: string }>({ at }) }, terminal)),
    )
}

type ListFlags = Json & { readonly at: string; readonly code?: string; readonly kind?: string; readonly limit: number }
type ReleaseFlags = Json & {
  readonly at: string
  readonly code?: string
  readonly mapping?: string
  readonly adapter: (typeof ADAPTERS)[number]
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
    .action(async ({ at, code, kind, limit, json = false }: ListFlags) =>
      exit(
        await runQuarantineList(
          await federation(),
          { at, limit, json, ...filled<{ code?: string; kind?: string }>({ code, kind }) },
          terminal,
        ),
      ),
    )
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
    .action(async (ids: string[], { at, code, mapping, adapter, json = false }: ReleaseFlags) =>
      exit(
        await runQuarantineRelease(
          await federation(),
          ids,
          { at, adapter, json, ...filled<{ code?: string; mapping?: string }>({ code, mapping }) },
          terminal,
        ),
      ),
    )
}
