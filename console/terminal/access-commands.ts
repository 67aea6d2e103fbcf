/** `hutong access …` and `hutong audit …`: what the command line understands of them. */
import { type Command, Option } from 'commander'
import { ROLES } from '../../schemas/access/roles.ts'
import { type AddOptions, runClientsAdd, runClientsList, runClientsRemove, runToken } from './access.ts'
import { runAuditExport, runAuditShow, runAuditVerify } from './audit.ts'
import { runLogin } from './login.ts'
import { type Around, acting, atOption, count, type Given, type Json, settled } from './options.ts'

type Flags = Json & { readonly at: string; readonly as: string; readonly client?: string }

const ASSIGNABLE = ROLES.filter(role => role.group !== 'bootstrap').map(role => role.name)

const actingAt = (command: Command, role: string): Command => acting(command.addOption(atOption()), role)

export function addAccessCommands(program: Command, { federation, terminal, exit }: Around): void {
  const access = program.command('access').description('访问权限。Who may enter a hub or node')
  actingAt(access.command('token'), 'discipline-inspector')
    .description('换取一个访问令牌。Prints an access token, good for minutes')
    .action(async (flags: Flags) => exit(await runToken(await federation(), flags, terminal)))

  access
    .command('login')
    .description('人员登录：打印网址，登录后打印访问令牌。A person logs in: prints an address, and after the login an access token')
    .addOption(atOption())
    .action(async ({ at }: { at: string }) => exit(await runLogin(await federation(), at, terminal)))

  const clients = access.command('clients').description('客户端登记。The register of clients')
  actingAt(clients.command('list'), 'security-administrator')
    .description('已登记的客户端。The registered clients')
    .action(async (flags: Flags) => exit(await runClientsList(await federation(), settled(flags), terminal)))
  type AddFlags = Given<AddOptions, 'roles' | 'regions' | 'sectors' | 'platforms'> & {
    readonly role: readonly string[]
    readonly region?: readonly string[]
    readonly sector?: readonly string[]
    readonly platform?: readonly string[]
  }
  actingAt(clients.command('add'), 'security-administrator')
    .description('登记客户端，或更换其密钥与权限。Registers a client, or replaces its keys and rights')
    .argument('<id>', '标识 identifier')
    .addOption(new Option('--role <role...>', '角色 roles').choices(ASSIGNABLE).makeOptionMandatory())
    .option('--region <code...>', '辖区 regions')
    .option('--sector <class...>', '行业 classes of trade')
    .option('--platform <code...>', '平台代码 platform codes')
    .option('--per-minute <number>', '每分钟请求数 requests a minute', count)
    .option('--name <text>', '名称 name')
    .option('--key <file>', '客户端公钥（JWK） its public key, a JWK')
    .option('--out <file>', '生成新密钥并写入此文件 makes a key and writes it here')
    .action(async (id: string, { role, region, sector, platform, ...flags }: AddFlags) => {
      const scope = {
        ...(region === undefined ? {} : { regions: region }),
        ...(sector === undefined ? {} : { sectors: sector }),
        ...(platform === undefined ? {} : { platforms: platform }),
      }
      exit(await runClientsAdd(await federation(), id, { ...settled(flags), roles: role, ...scope }, terminal))
    })
  actingAt(clients.command('remove'), 'security-administrator')
    .description('注销客户端，其令牌立即失效。Removes a client; its tokens are good for nothing at once')
    .argument('<id>', '标识 identifier')
    .action(async (id: string, flags: Flags) => exit(await runClientsRemove(await federation(), id, settled(flags), terminal)))
}

export function addAuditCommands(
  program: Command,
  { federation, terminal, exit, membershipFile }: Around & { readonly membershipFile: () => string },
): void {
  const audit = program.command('audit').description('审计日志。The audit log of a hub or node')
  type VerifyFlags = Flags & { readonly file?: string; readonly membership?: string }
  acting(audit.command('verify').addOption(atOption().makeOptionMandatory(false)), 'auditor')
    .description(
      '核验链与签名，在线或依导出文件离线；有不符则返回 1。Checks chain and signatures, online or from an export; 1 if something was changed',
    )
    .option('--file <file>', '导出文件 an export, instead of --at')
    .option('--membership <file>', '成员文件；默认取联盟目录中的 membership file; that of the federation unless given')
    .action(async ({ membership, ...flags }: VerifyFlags) => {
      const file = flags.at === undefined ? null : await federation()
      exit(await runAuditVerify(file, { ...settled(flags), membershipFile: membership ?? membershipFile() }, terminal))
    })
  actingAt(audit.command('export'), 'auditor')
    .description('把审计日志写入文件。Writes the audit log to a file')
    .requiredOption('--out <file>', '目标文件 file to write')
    .action(async (flags: Flags & { readonly out: string }) =>
      exit(await runAuditExport(await federation(), settled(flags), terminal)),
    )
  type ShowFlags = Flags & {
    readonly limit: number
    readonly operation?: string
    readonly actor?: string
    readonly resource?: string
  }
  actingAt(audit.command('show'), 'auditor')
    .description('最近的条目。The newest entries')
    .option('--limit <number>', '条数 how many', count, 50)
    .option('--operation <name>', '仅此操作 of this operation only')
    .option('--actor <name>', '仅此主体 of this actor only')
    .option('--resource <name>', '仅此对象 of this resource only')
    .action(async (flags: ShowFlags) => exit(await runAuditShow(await federation(), settled(flags), terminal)))
}
