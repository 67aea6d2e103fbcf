/** The `hutong` command: what it understands, apart from the process it runs in. */
import { join } from 'node:path'
import { Argument, Command, CommanderError, Option } from 'commander'
import type { Environment } from '../../runtime/environment.ts'
import { RETRACT_REASONS } from '../../schemas/record.ts'
import { addAccessCommands, addAuditCommands } from './access-commands.ts'
import { type FederationFile, readFederationFile } from './federation-file.ts'
import { ADAPTERS, type IngestOptions, runIngest } from './ingest.ts'
import { addLedgerCommands } from './ledger-commands.ts'
import { addMembershipCommands } from './membership-commands.ts'
import { atNodeOption, audienceOption, type Given, type Json, jsonOption, settled } from './options.ts'
import { type RedactOptions, runRedact } from './redact.ts'
import { runSamples } from './samples.ts'
import { runShow, type ShowOptions } from './show.ts'
import { runStatus } from './status.ts'
import { formatError, type Terminal } from './text.ts'
import { addTrustCommands } from './trust-commands.ts'
import { inBothLanguages } from './usage.ts'
import { runVerify } from './verify.ts'

export const EXIT = { ok: 0, fault: 1, usage: 2 } as const
const DEFAULT_HOME = '.hutong'

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
  const program = inBothLanguages(new Command('hutong'), terminal)
    .description(
      '互通：联盟的命令行。The command line of a Hutong federation.\n退出码 exit codes: 0 正常 fine, 1 故障或否定结论 a fault or a negative finding, 2 用法错误 usage',
    )
    .option('--home <folder>', '联盟目录 folder of the federation (HUTONG_HOME)', env.HUTONG_HOME || DEFAULT_HOME)
  const home = (): string => program.opts<{ home: string }>().home
  const membershipFile = (): string => join(home(), 'membership.json')
  const federation = (): Promise<FederationFile> => readFederationFile(home())

  program
    .command('status')
    .description(
      '各持有方处每条日志链的位置；有应答即返回 0，是否一致见 converged。Where every log stands at every holder; 0 when anybody answers, `converged` says whether they agree',
    )
    .addOption(jsonOption())
    .action(async (flags: Json) => exit(await runStatus(await federation(), settled(flags), terminal)))

  program
    .command('samples')
    .description('样例交易系统的开关。Switches the sample trading systems')
    .addArgument(new Argument('<action>', '暂停或恢复 pause or resume').choices(['pause', 'resume']))
    .addOption(jsonOption())
    .action(async (action: 'pause' | 'resume', flags: Json) =>
      exit(await runSamples(await federation(), action, settled(flags), terminal)),
    )

  program
    .command('ingest')
    .description('把文件交给节点。Gives files to a node')
    .argument('<file...>', '文件或目录 files or folders')
    .addOption(atNodeOption('--node, --at'))
    .addOption(new Option('--adapter <name>', '适配器 adapter').choices([...ADAPTERS]).makeOptionMandatory())
    .option('--mapping <file>', '映射文件，或内置映射名（entities） mapping file, or the name of a shipped one (entities)')
    .option('--platform <code>', '行内未注明时的平台代码 PLATFORM_CODE of rows that name none')
    .addOption(jsonOption())
    .action(async (paths: string[], flags: Given<IngestOptions>) =>
      exit(await runIngest(await federation(), paths, settled(flags), terminal)),
    )

  program
    .command('show')
    .description('某节点所见的一条记录。One record as a node shows it')
    .argument('<dataset>', '数据集 dataset')
    .argument('<key>', '键 key')
    .addOption(atNodeOption())
    .option('--origin <code>', '仅此来源 of this origin only')
    .addOption(jsonOption())
    .action(async (dataset: string, key: string, flags: Given<ShowOptions>) =>
      exit(await runShow(await federation(), dataset, key, settled(flags), terminal)),
    )

  program
    .command('redact')
    .description(
      '删除一个键已撤回或已被取代的全部版本，各持有方一并删除。Erases every retracted or superseded version of a key, at every holder',
    )
    .addOption(atNodeOption())
    .requiredOption('--dataset <name>', '数据集 dataset')
    .requiredOption('--key <key>', '键 key')
    .addOption(new Option('--why <reason>', '原因 reason').choices([...RETRACT_REASONS]).makeOptionMandatory())
    .addOption(audienceOption())
    .addOption(jsonOption())
    .action(async (flags: Given<RedactOptions>) => exit(await runRedact(await federation(), settled(flags), terminal)))

  program
    .command('verify')
    .description(
      '离线验证信封、回执、链头、删除声明、矛盾证明或证书证据文件。Verifies a file with an envelope, receipt, head, redaction, proof or evidence about a certificate, offline',
    )
    .argument('<file>', '文件 file')
    .option('--membership <file>', '成员文件；默认取联盟目录中的 membership file; that of the federation unless given')
    .option(
      '--anchor <fingerprint>',
      '锚指纹；证书证据文件据此即可，无需成员文件 anchor fingerprint; enough for evidence about a certificate',
    )
    .addOption(jsonOption())
    .action(async (path: string, { membership, ...flags }: Json & { membership?: string; anchor?: string }) =>
      exit(await runVerify(path, { ...settled(flags), membershipFile: membership ?? membershipFile() }, terminal)),
    )

  const around = { federation, terminal, exit }
  addLedgerCommands(program, around)
  addMembershipCommands(program, around)
  addTrustCommands(program, around)
  addAccessCommands(program, around)
  addAuditCommands(program, { ...around, membershipFile })
  return program
}
