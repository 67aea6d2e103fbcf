/** `hutong hub …`, `hutong node …` and `hutong alliance …`: what the command line understands of them. */
import { Argument, type Command, Option } from 'commander'
import {
  type InviteFlags,
  type Order,
  type PendingFlags,
  runAnchorRollover,
  runBrokerRotation,
  runFound,
  runInvite,
  runMemberOrder,
  runMembers,
  runOperatorRotation,
  runPending,
  runPolicy,
  runReplaceAnchor,
} from './membership.ts'
import { type Around, acting, atNodeOption, count, type Given, jsonOption, settled } from './options.ts'
import {
  type At,
  type JoinFlags,
  runAlliance,
  runAlliances,
  runAnchor,
  runJoin,
  runKeys,
  runLeave,
  runNodeOrder,
  runReplaceStolen,
  runRollover,
} from './own-keys.ts'

const acted = (command: Command, role: string): Command => acting(command.addOption(atNodeOption()), role)

const ADMIN = 'system-administrator'
const SECURITY = 'security-administrator'
const STAGES = ['announce', 'activate', 'retire']

export function addMembershipCommands(program: Command, around: Around): void {
  addHubCommands(program, around)
  addNodeCommands(program, around)
  addAllianceCommands(program, around)
}

function addHubCommands(program: Command, around: Around): void {
  const { federation, terminal, exit } = around
  const hub = program
    .command('hub')
    .description('枢纽：创立联盟，邀请、批准、暂停成员。The hub: founds the federation; invites, approves and suspends members')
  type FoundFlags = Given<Parameters<typeof runFound>[0], 'approvals'> & { readonly approvals: '1' | '2' }
  hub
    .command('found')
    .description(
      '创立联盟：生成枢纽密钥、离线恢复密钥与创立条目。Founds a federation: keys of the hub, an offline recovery key, the first entry',
    )
    .requiredOption('--fed <id>', '联盟标识 identifier of the federation')
    .requiredOption('--base <url>', '联盟基址 base address of the federation')
    .addOption(new Option('--approvals <number>', '批准所需人数 people that an admission takes').choices(['1', '2']).default('2'))
    .requiredOption('--key <file>', '枢纽私钥文件 private key of the hub, to be made')
    .requiredOption('--recovery <file>', '恢复密钥文件，离线保管 recovery key, to be made and taken away')
    .option('--recovery-passphrase-file <file>', '恢复密钥口令文件 passphrase of the recovery key')
    .requiredOption('--out <file>', '创立条目文件 file of the founding entry')
    .addOption(jsonOption())
    .action(async (flags: FoundFlags) =>
      exit(await runFound({ ...settled(flags), approvals: flags.approvals === '1' ? 1 : 2 }, terminal)),
    )
  acting(hub.command('invite'), ADMIN)
    .description('邀请成员，输出加入文件（含一次性口令）。Invites; prints the join file with its one-time secret')
    .argument('<code>', '成员代码 code of the member')
    .requiredOption('--name <text>', '中文名称 name in Chinese')
    .option('--name-en <text>', '英文名称，未给出时同中文名称 name in English; the Chinese one unless given')
    .option('--hours <number>', '有效小时数 hours that it is good for', count, 168)
    .option('--writes <dataset...>', '可写数据集 datasets that it may write')
    .option('--territory <code...>', '管辖区域 regions that it vouches for')
    .option('--out <file>', '写入文件 writes it to a file')
    .action(async (code: string, flags: InviteFlags) => exit(await runInvite(await federation(), code, settled(flags), terminal)))
  acting(hub.command('pending'), ADMIN)
    .description('未了结的邀请与申请：缺少什么、由谁处理。Open invitations and requests: what is missing, who must act')
    .option('--all', '含已了结者 settled ones too')
    .action(async (flags: PendingFlags) => exit(await runPending(await federation(), settled(flags), terminal)))
  acting(hub.command('members'), ADMIN)
    .description('成员及其状态。Members and how they stand')
    .action(async (flags: Order) => exit(await runMembers(await federation(), settled(flags), terminal)))

  const about = (name: string, role: string, zhEn: string, done: string, body: (flags: never) => object): Command =>
    acting(hub.command(name), role)
      .description(zhEn)
      .argument('<code>', '成员代码 code of the member')
      .action(async (code: string, flags: Order) =>
        exit(
          await runMemberOrder(
            await federation(),
            { code, act: name === 'mark' ? 'marks' : name, body: body(flags as never), done },
            settled(flags),
            terminal,
          ),
        ),
      )
  about(
    'approve',
    SECURITY,
    '批准：指纹须以另一途径取得，批准人不得为邀请人。Admits a joiner; the fingerprint comes by another way, and not from who invited',
    '已批准 admitted',
    ({ fingerprint }: { fingerprint: string }) => ({ fingerprint }),
  ).requiredOption('--fingerprint <text>', '申请方密钥指纹 fingerprint of the joiner’s key')
  about('refuse', SECURITY, '拒绝申请。Refuses a request', '已拒绝 refused', ({ why }: { why: string }) => ({
    reason: why,
  })).requiredOption('--why <text>', '原因 reason')
  about(
    'suspend',
    SECURITY,
    '暂停成员：其日志链止于枢纽已持有的位置。Suspends a member: its logs end where the hub holds them',
    '已暂停 suspended',
    ({ why }: { why: string }) => ({ why }),
  ).requiredOption('--why <text>', '原因 reason')
  about('resume', SECURITY, '恢复成员。Ends a suspension', '已恢复 resumed', () => ({}))
  about(
    'mark',
    SECURITY,
    '授予信任标记。Gives a trust mark',
    '已授予标记 marked',
    ({ mark, until, digest }: { mark: string; until: string; digest: string }) => ({ mark, until, digest }),
  )
    .requiredOption('--mark <id>', '标记 mark')
    .requiredOption('--until <time>', '截止时间 end, RFC 3339')
    .requiredOption('--digest <digest>', '依据的摘要 digest of the evidence')
  acting(hub.command('rollover'), ADMIN)
    .description('更换锚密钥的一个阶段。One stage of the rollover of the anchor key')
    .addArgument(new Argument('<stage>', '阶段 stage').choices(STAGES))
    .action(async (stage: string, flags: Order) =>
      exit(await runAnchorRollover(await federation(), stage, settled(flags), terminal)),
    )
  type ReplaceFlags = Order & { readonly recovery: string; readonly recoveryPassphraseFile?: string; readonly ends?: number }
  acting(hub.command('replace-stolen'), ADMIN)
    .description(
      '以离线恢复密钥更换被盗的锚密钥；窃钥者此后的条目一律无效。Replaces stolen anchor keys under the recovery key; what the thief enters is void',
    )
    .requiredOption('--recovery <file>', '枢纽的恢复密钥文件 recovery key of the hub')
    .option('--recovery-passphrase-file <file>', '恢复密钥口令文件 passphrase of the recovery key')
    .option(
      '--ends <position>',
      '被盗密钥在成员日志中的终止位置，默认至今全部有效 last entry that you stand by; all of them unless given',
      count,
    )
    .action(async (flags: ReplaceFlags) => exit(await runReplaceAnchor(await federation(), settled(flags), terminal)))
  addBrokerCommands(hub, around)
  addPolicyCommands(hub, around)
}

function addBrokerCommands(hub: Command, { federation, terminal, exit }: Around): void {
  const broker = hub.command('broker').description('消息代理的凭据。Credentials at the broker')
  acting(broker.command('rotate'), SECURITY)
    .description(
      '作废枢纽或成员在消息代理的全部凭据；其程序自行换发新密钥。Whatever the hub or a member had at the broker is void at once; its program makes a new key by itself',
    )
    .argument('<program>', '枢纽（hub）或成员代码 hub, or the code of a member')
    .action(async (name: string, flags: Order) => exit(await runBrokerRotation(await federation(), name, settled(flags), terminal)))
  broker
    .command('rotate-operator')
    .description(
      '以离线根密钥更换运营者签名密钥；随后重启消息代理与枢纽。A new signing key of the operator, under its root key; then start broker and hub again',
    )
    .requiredOption('--authority <file>', '权限文件 keys of the operator and accounts')
    .requiredOption('--root <file>', '运营者根密钥文件，离线保管 root key of the operator, from the safe')
    .requiredOption(
      '--trust <file>',
      '供自备消息代理引入的信任配置文件，将被替换 trust to be included by a broker of your own, replaced',
    )
    .addOption(jsonOption())
    .action(async (flags: Given<Parameters<typeof runOperatorRotation>[0]>) =>
      exit(await runOperatorRotation(settled(flags), terminal)),
    )
}

function addPolicyCommands(hub: Command, { federation, terminal, exit }: Around): void {
  const policy = hub.command('policy').description('联盟政策。What the federation accepts')
  acting(policy.command('show'), SECURITY)
    .description('所接受的签名算法、批准所需人数。Algorithms that are accepted, and how many people an admission takes')
    .action(async (flags: Order) => exit(await runPolicy(await federation(), null, settled(flags), terminal)))
  type PolicyFlags = Order & { readonly algorithms?: readonly string[]; readonly approvals?: '1' | '2' }
  acting(policy.command('set'), SECURITY)
    .description('变更政策；会使某方失去可用密钥者予以拒绝。Changes it; refused if it would leave somebody without a key')
    .option('--algorithms <name...>', '新密钥可用的签名算法 algorithms that new keys may have')
    .addOption(new Option('--approvals <number>', '批准所需人数 people that an admission takes').choices(['1', '2']))
    .action(async ({ algorithms, approvals, ...flags }: PolicyFlags) => {
      const change = {
        ...(algorithms === undefined ? {} : { algorithms }),
        ...(approvals === undefined ? {} : { approvals: Number(approvals) }),
      }
      exit(await runPolicy(await federation(), change, settled(flags), terminal))
    })
}

function addNodeCommands(program: Command, { federation, terminal, exit }: Around): void {
  const node = program.command('node').description('本成员节点：加入、密钥、退出。A member’s own node: joining, keys, leaving')
  node
    .command('join')
    .description(
      '凭加入文件申请加入，等待批准；可中断后重做。Asks to join with a join file and waits; can be broken off and taken up again',
    )
    .argument('<file>', '加入文件 join file')
    .option('--folder <folder>', '节点的成员目录 folder of the node for keys and membership')
    .option('--recovery <file>', '恢复密钥文件，离线保管 recovery key, to be taken away')
    .option('--passphrase-file <file>', '密钥口令文件 passphrase of the keys')
    .option('--recovery-passphrase-file <file>', '恢复密钥口令文件 passphrase of the recovery key')
    .option('--anchor <fingerprint>', '另行告知的锚指纹 anchor fingerprint as it was told by another way')
    .option('--agent <socket>', '在此签名代理中生成并保管密钥 makes and keeps the keys in this signing agent')
    .option('--no-wait', '不等待批准 says how it stands and ends')
    .action(async (path: string, flags: JoinFlags) => exit(await runJoin(path, flags, terminal)))
  acted(node.command('keys'), 'auditor')
    .description('各密钥何时对何位置有效。Which key is good for what')
    .action(async (flags: At) => exit(await runKeys(await federation(), settled(flags), terminal)))
  acted(node.command('rollover'), ADMIN)
    .description(
      '更换密钥：公告、启用、停用，依次执行到期的阶段。Rolls the key over: announce, activate, retire; the stage that is due',
    )
    .addOption(new Option('--stage <stage>', '指定阶段 this stage').choices(STAGES))
    .action(async (flags: At & { stage?: string }) =>
      exit(await runRollover(await federation(), flags.stage, settled(flags), terminal)),
    )
  acted(node.command('replace-stolen'), ADMIN)
    .description(
      '以恢复密钥更换被盗密钥，并列出其签署的记录。Replaces stolen keys under the recovery key, and lists what they signed',
    )
    .requiredOption('--recovery <file>', '恢复密钥文件 recovery key')
    .option('--recovery-passphrase-file <file>', '恢复密钥口令文件 passphrase of the recovery key')
    .option('--since <time>', '仅列此后的记录 lists records since then, RFC 3339')
    .action(async (flags: At & { recovery: string; recoveryPassphraseFile?: string; since?: string }) =>
      exit(await runReplaceStolen(await federation(), settled(flags), terminal)),
    )
  acted(node.command('anchor'), ADMIN)
    .description('枢纽密钥及其指纹是否已另行核对。Keys of the hub, and whether their fingerprints were compared by another way')
    .option('--fingerprint <text>', '另行告知、已核对的指纹 fingerprint as it was told by another way: it is right')
    .action(async (flags: At & { fingerprint?: string }) => exit(await runAnchor(await federation(), settled(flags), terminal)))
  for (const [name, path, zhEn] of [
    [
      'renew-encryption',
      'encryption',
      '更换内容密钥的封装密钥，即刻生效。A new key that content keys are wrapped for, in force at once',
    ],
    ['renew-broker-key', 'broker', '更换在消息代理的密钥，前一把即被吊销。A new key at the broker; the one before is revoked'],
  ] as const)
    acted(node.command(name), ADMIN)
      .description(zhEn)
      .action(async (flags: At) => exit(await runNodeOrder(await federation(), path, settled(flags), terminal)))
  acted(node.command('leave'), ADMIN)
    .description('退出联盟，日志链到此为止。Leaves the federation; the logs end here')
    .action(async (flags: At) => exit(await runLeave(await federation(), settled(flags), terminal)))
}

function addAllianceCommands(program: Command, { federation, terminal, exit }: Around): void {
  const alliance = program.command('alliance').description('协作区：由成员签署成立。Alliances, made by their members’ signatures')
  acted(alliance.command('list'), ADMIN)
    .description('协作区与待同意的提议。Alliances, and proposals that wait')
    .action(async (flags: At) => exit(await runAlliances(await federation(), settled(flags), terminal)))
  type ProposeFlags = At & { name: string; nameEn: string; members: readonly string[]; past?: boolean }
  acted(alliance.command('propose'), ADMIN)
    .description('提议协作区的成员并同意。Proposes the members of an alliance, and consents')
    .argument('<id>', '标识 identifier')
    .requiredOption('--name <text>', '中文名称 name in Chinese')
    .requiredOption('--name-en <text>', '英文名称 name in English')
    .requiredOption('--members <code...>', '全部成员 all members')
    .option('--past', '新成员可读既往内容 who joins may read what was said before')
    .action(async (id: string, { name, nameEn, members, past, ...flags }: ProposeFlags) => {
      const body = { id, zh: name, en: nameEn, members, past: past === true }
      exit(await runAlliance(await federation(), { path: '/v1/alliances', body }, settled(flags), terminal))
    })
  for (const [act, description] of [
    ['consent', '同意提议。Consents to the proposal'],
    ['leave', '退出协作区。Leaves the alliance'],
  ] as const)
    acted(alliance.command(act), ADMIN)
      .description(description)
      .argument('<id>', '标识 identifier')
      .action(async (id: string, flags: At) =>
        exit(await runAlliance(await federation(), { path: `/v1/alliances/${id}/${act}`, body: {} }, settled(flags), terminal)),
      )
}
