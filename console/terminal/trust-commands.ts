/** `hutong trust …` and `hutong certificate …`: what the command line understands of them. */
import { type Command, Option } from 'commander'
import { PURPOSES } from '../../schemas/trust/purposes.ts'
import { type ImportFlags, runCertificateImport, runEvidence, runTrustImport } from './certificates.ts'
import { type Around, acting, atNodeOption, count, type Given, settled } from './options.ts'
import { addSignerCommand } from './signer-command.ts'
import {
  type At,
  type PublishFlags,
  runFetchCrls,
  runTrustList,
  runTrustPublish,
  runTrustStatus,
  runVerifyCertificate,
  type VerifyFlags,
} from './trust.ts'

const acted = (command: Command, role: string): Command => acting(command.addOption(atNodeOption()), role)

const ADMIN = 'system-administrator'
const SECURITY = 'security-administrator'
const REGISTRAR = 'registrar'

export function addTrustCommands(program: Command, { federation, terminal, exit }: Around): void {
  const trust = program
    .command('trust')
    .description('信任列表：认可哪些电子认证机构。Trust lists: which certification authorities count')
  acted(trust.command('status'), ADMIN)
    .description(
      '各信任列表的五项检查、被拒各期与吊销列表；不可用时返回 1。The five checks of each list, refused issues, revocation lists; 1 while none counts',
    )
    .action(async (flags: Given<At>) => exit(await runTrustStatus(await federation(), settled(flags), terminal)))
  acted(trust.command('fetch'), ADMIN)
    .description('立即获取信任列表所列的全部吊销列表。Fetches every revocation list that the trust lists name, now')
    .action(async (flags: Given<At>) => exit(await runFetchCrls(await federation(), settled(flags), terminal)))
  acted(trust.command('list'), ADMIN)
    .description(
      '列表中的机构及其状态；以 --json 取得可修改后重新发布的列表。The authorities of a list and how they stand; --json gives what can be changed and published again',
    )
    .argument('[id]', '列表标识，默认为该成员自己的列表 identifier of the list, that of the member itself unless given')
    .action(async (id: string | undefined, flags: Given<At>) =>
      exit(await runTrustList(await federation(), id ?? null, settled(flags), terminal)),
    )
  acted(trust.command('publish'), SECURITY)
    .description(
      '发布本成员列表的下一期：由成员密钥签署并签封。Publishes the next issue of the member’s list, signed by its key and sealed',
    )
    .argument('<file>', '列表文件（JSON） file of the list, JSON')
    .option('--add', '并入现行一期，而非取代之 added to the issue that stands, in place of replacing it')
    .option('--days <number>', '有效天数 days that the issue is good for', count)
    .action(async (path: string, flags: Given<PublishFlags>) =>
      exit(await runTrustPublish(await federation(), path, settled(flags), terminal)),
    )
  acted(trust.command('import'), ADMIN)
    .description(
      '导入机构证书目录（PEM、DER、PKCS #7），逐个核验；损坏的文件入隔离区。Brings a folder of authorities’ certificates in (PEM, DER, PKCS #7), each verified; a damaged file goes into quarantine',
    )
    .argument('<path...>', '文件或目录 files or folders')
    .option('--anchor <file...>', '仅在此次受信任的根证书文件 files of roots that are trusted for this once')
    .option('--draft <file>', '将核验通过的机构写成列表草稿 writes those that are good as a draft of a list')
    .option('--region <code>', '草稿中机构所在地区；默认为该成员 region of the authorities in the draft, the member’s unless given')
    .action(async (paths: string[], flags: Given<ImportFlags>) =>
      exit(await runTrustImport(await federation(), paths, settled(flags), terminal)),
    )

  const certificate = program
    .command('certificate')
    .description('证书：核验、导入与证据。Certificates: verification, import, evidence')
  addSignerCommand(certificate, { terminal, exit })
  acted(certificate.command('verify'), REGISTRAR)
    .description(
      '证书在某时对某用途是否有效、持有人为谁、为何；有效返回 0。Whether a certificate is good for a purpose at a time, who holds it, and why; 0 if it is good',
    )
    .argument(
      '<file>',
      '证书文件（PEM、DER、PKCS #7），首张为待核验者，其余为中间证书 file: the first is verified, others stand between',
    )
    .option('--when <time>', '时刻，默认现在 time, RFC 3339; now unless given')
    .addOption(new Option('--purpose <purpose>', '用途 purpose').choices(Object.keys(PURPOSES)).default('sign'))
    .action(async (path: string, flags: Given<VerifyFlags>) =>
      exit(await runVerifyCertificate(await federation(), path, settled(flags), terminal)),
    )
  acted(certificate.command('import'), ADMIN)
    .description(
      '批量导入既有证书；可中断后重做，不会重复。Brings existing certificates in, in bulk; can be broken off and taken up again, nothing is doubled',
    )
    .argument('<path...>', '文件或目录 files or folders')
    .action(async (paths: string[], flags: Given<ImportFlags>) =>
      exit(await runCertificateImport(await federation(), paths, settled(flags), terminal)),
    )
  acted(certificate.command('evidence'), REGISTRAR)
    .description(
      '导出证书证据文件，可由 hutong verify 离线复验。Writes the evidence about a certificate, which hutong verify checks offline',
    )
    .argument('<fingerprint>', '证书指纹（SHA-256 十六进制） fingerprint, SHA-256 in hexadecimal')
    .option('--when <time>', '时刻，默认现在 time, RFC 3339; now unless given')
    .addOption(new Option('--purpose <purpose>', '用途 purpose').choices(Object.keys(PURPOSES)))
    .requiredOption('--out <file>', '写入文件 file to write')
    .action(async (fingerprint: string, flags: Given<VerifyFlags> & { out: string }) =>
      exit(await runEvidence(await federation(), fingerprint, settled(flags), terminal)),
    )
}
