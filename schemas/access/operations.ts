/**
 * Everything that a program of ours does for somebody who asks over HTTP, a row each. Every route names its operation; a route without
 * one is not built. `open` needs no credential or brings its own; `read` changes nothing; `act` changes data; `admin` changes who may
 * do what, or shows who did. An operation with `datasets` is granted for each dataset by itself. `duty` names the part that somebody
 * plays in a deal by doing it (`duties.ts`).
 */
import type { OpenDatasetName } from '../datasets/datasets.ts'
import type { Duty } from './duties.ts'

type OperationKind = 'open' | 'read' | 'act' | 'admin'
type Row = {
  readonly name: string
  readonly kind: OperationKind
  readonly zh: string
  readonly en: string
  readonly datasets?: true
  readonly duty?: Duty
}

export const OPERATIONS = [
  { name: 'health.read', kind: 'open', zh: '健康状态', en: 'health' },
  { name: 'openapi.read', kind: 'open', zh: '接口说明', en: 'description of the interface' },
  { name: 'token.issue', kind: 'open', zh: '换取访问令牌', en: 'access token for a client assertion' },
  { name: 'federation.read', kind: 'open', zh: '联盟声明', en: 'statements of the federation' },
  { name: 'membership.join', kind: 'open', zh: '申请加入（凭一次性口令）', en: 'request to join, under its own one-time secret' },
  { name: 'record.read', kind: 'read', zh: '查询记录', en: 'records', datasets: true },
  { name: 'statistics.read', kind: 'read', zh: '查询统计', en: 'statistics' },
  { name: 'ledger.read', kind: 'read', zh: '查询日志链位置', en: 'where logs stand' },
  { name: 'proof.read', kind: 'read', zh: '查询分叉证据', en: 'proofs of forks' },
  { name: 'envelope.read', kind: 'read', zh: '导出信封', en: 'envelopes with their bodies', datasets: true },
  { name: 'quarantine.read', kind: 'read', zh: '查询隔离区', en: 'what was refused' },
  { name: 'member.read', kind: 'read', zh: '查询成员', en: 'members and their keys' },
  { name: 'trust.read', kind: 'read', zh: '查询信任列表', en: 'trust lists' },
  { name: 'certificate.verify', kind: 'read', zh: '核验证书', en: 'verification of certificates' },
  { name: 'signature.verify', kind: 'read', zh: '核验签名与印章', en: 'verification of signatures and seals' },
  { name: 'certificate.read', kind: 'read', zh: '查询证书与证据', en: 'certificates held, and evidence about them' },
  { name: 'record.ingest', kind: 'act', zh: '录入数据', en: 'rows taken in', datasets: true, duty: 'enter' },
  { name: 'mapping.add', kind: 'act', zh: '登记映射文件', en: 'mapping files' },
  { name: 'record.erase', kind: 'act', zh: '删除记录', en: 'erasure of records', datasets: true, duty: 'erase' },
  { name: 'quarantine.release', kind: 'act', zh: '解除隔离', en: 'release from quarantine' },
  { name: 'bundle.import', kind: 'act', zh: '导入文件', en: 'bundles brought in' },
  { name: 'trust.publish', kind: 'act', zh: '发布信任列表', en: 'issues of the own trust list' },
  { name: 'certificate.import', kind: 'act', zh: '导入证书', en: 'certificates brought in' },
  { name: 'ledger.reopen', kind: 'act', zh: '声明遗失并开启新世代', en: 'a new epoch over entries declared lost' },
  { name: 'ledger.verify', kind: 'act', zh: '核验账本', en: 'verification of the ledger' },
  { name: 'membership.read', kind: 'read', zh: '查询加入申请', en: 'requests to join' },
  { name: 'membership.invite', kind: 'admin', zh: '邀请成员', en: 'invitations' },
  { name: 'membership.approve', kind: 'admin', zh: '批准成员', en: 'admissions' },
  { name: 'membership.suspend', kind: 'admin', zh: '暂停与恢复成员', en: 'suspensions and resumptions' },
  { name: 'membership.change', kind: 'open', zh: '成员自签的变更', en: 'a change that a member signed itself' },
  { name: 'policy.change', kind: 'admin', zh: '变更政策', en: 'changes of the policy' },
  { name: 'broker.rotate', kind: 'admin', zh: '更换消息代理凭据', en: 'new credentials at the broker' },
  { name: 'key.change', kind: 'admin', zh: '更换密钥', en: 'changes of own keys' },
  { name: 'alliance.change', kind: 'admin', zh: '变更协作区', en: 'changes of alliances' },
  { name: 'client.read', kind: 'admin', zh: '查询客户端', en: 'registered clients' },
  { name: 'client.add', kind: 'admin', zh: '登记客户端', en: 'registration of clients' },
  { name: 'client.remove', kind: 'admin', zh: '注销客户端', en: 'removal of clients' },
  {
    name: 'certificate-use.read',
    kind: 'read',
    zh: '查询证书使用',
    en: 'where certificates of holders at home, and watched ones, were used',
  },
  { name: 'certificate-use.report', kind: 'act', zh: '上报证书使用', en: 'reports of the use of a certificate' },
  { name: 'watch.read', kind: 'read', zh: '查询关注名单', en: 'the watch list' },
  { name: 'watch.change', kind: 'act', zh: '维护关注名单', en: 'changes of the watch list' },
  { name: 'login.rotate', kind: 'act', zh: '更换登录签名密钥', en: 'new signing keys of the login' },
  { name: 'audit.read', kind: 'admin', zh: '查阅审计日志', en: 'the audit log' },
] as const satisfies readonly Row[]

export type OperationName = (typeof OPERATIONS)[number]['name']
export type Operation = Row & { readonly name: OperationName }

const BY_NAME: ReadonlyMap<string, Operation> = new Map(OPERATIONS.map(row => [row.name, row]))

export const operationNamed = (name: string): Operation | undefined => BY_NAME.get(name)

/** Personal and credit data: every read of these is audited before it is answered. */
const SENSITIVE: readonly string[] = ['credit', 'expert', 'supervision'] satisfies OpenDatasetName[]

/** Whatever changes something, whatever shows or changes rights, every read of personal or credit data, and every refusal. */
export const isAudited = ({ kind, name }: Operation, dataset: string | undefined): boolean =>
  kind === 'act' ||
  kind === 'admin' ||
  name === 'quarantine.read' ||
  name === 'certificate-use.read' ||
  (kind === 'read' && dataset !== undefined && SENSITIVE.includes(dataset))
