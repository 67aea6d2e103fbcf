/** A broker with a hub's streams and members' accounts and nothing else: what the broker itself refuses shows without any program. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { JetStreamManager } from '@nats-io/jetstream'
import { createEvents } from '../../hub/events.ts'
import { keepStreams } from '../../hub/ledger/streams.ts'
import { type BrokerMember, brokerMembers } from '../../runtime/broker/accounts.ts'
import { type Authority, foundAuthority } from '../../runtime/broker/authority.ts'
import { type ClaimsKeeper, keepClaims } from '../../runtime/broker/claims.ts'
import { type BrokerCredentials, passingCredentials } from '../../runtime/broker/credentials.ts'
import { type BrokerServer, startBroker } from '../../runtime/broker/launcher.ts'
import { keepTlsFiles, type TlsFiles } from '../../runtime/broker/tls-files.ts'
import { createDoubts } from '../../runtime/ledger/doubts.ts'
import { createLogger } from '../../runtime/log.ts'
import { type Broker, connectBroker, readBrokerCa } from '../../runtime/nats.ts'
import { parseMembership } from '../../schemas/membership.ts'
import type { MemberPlan } from '../federation/members.ts'
import { prepareSecrets } from '../federation/secrets.ts'
import { brokerBinary, temporaryHome } from './servers.ts'

const member = (code: string, kind: MemberPlan['kind'], alliances: readonly string[] = []): MemberPlan => ({
  code,
  kind,
  zh: code,
  en: code,
  writes: kind === 'national' ? ['indicator'] : ['entity'],
  alliances,
})
const MEMBERS = [
  member('530000', 'province', ['south']),
  member('520000', 'province'),
  member('530100', 'city', ['south']),
  member('000000', 'national'),
]
export const CODES = MEMBERS.map(({ code }) => code)
export const AUDIENCES = ['all', 'national', 'alliance-south', ...CODES.map(code => `node-${code}`)]

export type PermissionGround = AsyncDisposable & {
  readonly home: string
  readonly authority: Authority
  readonly authorityFile: string
  readonly tls: TlsFiles
  readonly ca: string | null
  readonly hub: Broker
  readonly manager: JetStreamManager
  url(): string
  /** what the hub says of its members to the broker; a test changes it and pushes */
  members: readonly BrokerMember[]
  readonly claims: ClaimsKeeper
  connect(program: string, credentials?: BrokerCredentials): Promise<Broker>
  credentials(program: string): Promise<BrokerCredentials>
  /** messages that a member's stream has ever taken */
  stored(origin: string): Promise<number>
  /** Ends the broker and starts it at its address with an empty store. */
  wipeBroker(): Promise<void>
}

export async function startPermissionGround(): Promise<PermissionGround> {
  await using undo = new AsyncDisposableStack()
  const home = await temporaryHome(undo, 'permissions')
  const { fed, membershipFile } = await prepareSecrets(home, MEMBERS)
  const membership = await parseMembership(await readFile(membershipFile, 'utf8'))
  const authorityFile = join(home, 'authority.json')
  const authority = await foundAuthority(authorityFile, join(home, 'operator.seed'), fed)
  const tls = await keepTlsFiles(join(home, 'tls'), { fed, hosts: ['127.0.0.1'], now: new Date() })
  const binary = await brokerBinary()
  const trust = { operatorToken: authority.operatorToken, system: await authority.system() }
  let starts = 0
  const start = (port?: number): Promise<BrokerServer> => {
    starts += 1
    return startBroker({ binary, dataDir: join(home, `broker-${starts}`), trust, tls, ...(port === undefined ? {} : { port }) })
  }
  let server = await start()
  undo.defer(() => server[Symbol.asyncDispose]())
  const ca = await readBrokerCa(tls.caFile)
  const said = { members: brokerMembers(membership) as readonly BrokerMember[] }
  const failed = (): void => {}
  const claims = undo.use(await keepClaims({ url: server.url, ca, authority, members: () => said.members, failed }))
  const connections = undo.use(new AsyncDisposableStack())
  const credentials = (program: string): Promise<BrokerCredentials> => passingCredentials(key => authority.admit(program, key))
  const connect = async (program: string, given?: BrokerCredentials): Promise<Broker> =>
    connections.use(await connectBroker({ url: server.url, program, credentials: given ?? (await credentials(program)), ca }))
  const hub = await connect('hub')
  const events = createEvents(
    createLogger({ program: 'test', level: 'silent' }),
    createDoubts(() => new Date()),
  )
  const streams = undo.use(keepStreams({ broker: hub, membership: () => membership, replicas: 1, maxBytes: 2 ** 30, events }))
  await streams.ready()
  const manager = await hub.manager()
  const held = undo.move()
  return {
    home,
    authority,
    authorityFile,
    tls,
    ca,
    hub,
    manager,
    url: () => server.url,
    get members() {
      return said.members
    },
    set members(members) {
      said.members = members
    },
    claims,
    connect,
    credentials,
    stored: async origin => (await manager.streams.info(`LOG-${origin}`)).state.last_seq,
    async wipeBroker() {
      const port = Number(new URL(server.url).port)
      await server[Symbol.asyncDispose]()
      server = await start(port)
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}
