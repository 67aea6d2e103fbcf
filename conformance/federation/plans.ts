/** How each program of the federation is started: its script, its settings, its log. */
import { join } from 'node:path'
import type { Environment } from '../../runtime/environment.ts'
import type { Clients } from './clients.ts'
import type { MemberPlan } from './members.ts'
import { LOOPBACK } from './ports.ts'
import { PROJECT, type ProgramPlan } from './programs.ts'
import { loginName } from './sample-login.ts'
import type { Secrets } from './secrets.ts'

export type Ground = {
  readonly home: string
  readonly ports: ReadonlyMap<string, number>
  readonly secrets: Secrets
  /** of the hub and of each node by its code */
  readonly clients?: ReadonlyMap<string, Clients>
  /** with an identity provider: the file that says so, of the hub and of each node by its code */
  readonly providerFile?: (program: string) => string
  readonly brokerCredentialsFile: (program: string) => string
  /** of a federation with a membership log; without both its membership is the file */
  readonly foundingFile?: string
  readonly memberDir?: (code: string) => string
  /** nodes verify certificates, and wait for trust lists before they are ready */
  readonly certificates?: boolean
  /** with a login: the file of its clients, of each node by its code */
  readonly loginClientsFile?: (code: string) => string
  /** the hub's */
  readonly brokerAuthorityFile: string
  readonly brokerCaFile: string | undefined
  /** inherited by every program, before its own settings */
  readonly environment: (set: Environment) => Environment
  /** asked at every start of a program, since a restarted server may have moved */
  readonly databaseUrl: (program: string) => string
  readonly brokerUrl: (program: string) => string
}

export const urlFor = (ground: Pick<Ground, 'ports'>, program: string): string =>
  `http://${LOOPBACK}:${ground.ports.get(program) ?? 0}`
export const logFileFor = (home: string, program: string): string =>
  join(home, 'logs', `${/^[0-9]{6}$/.test(program) ? `node-${program}` : program}.log`)

const plan = (ground: Ground, name: string, script: string, settings: () => Environment): ProgramPlan => ({
  name,
  script: join(PROJECT, script),
  logFile: logFileFor(ground.home, name),
  readyUrl: `${urlFor(ground, name)}/health/ready`,
  env: () => ground.environment(settings()),
})

const listening = (ground: Ground, prefix: string, name: string): Environment => ({
  [`${prefix}HTTP_HOST`]: LOOPBACK,
  [`${prefix}HTTP_PORT`]: String(ground.ports.get(name) ?? 0),
})

function membershipOf({ secrets, foundingFile, memberDir }: Ground, prefix: string, name: string): Environment {
  const keyFile = { [`${prefix}KEY_FILE`]: secrets.keyFile(name) }
  if (foundingFile === undefined || memberDir === undefined)
    return { [`${prefix}MEMBERSHIP_FILE`]: secrets.membershipFile, ...keyFile }
  return name === 'hub'
    ? { [`${prefix}FOUNDING_FILE`]: foundingFile, ...keyFile }
    : { [`${prefix}MEMBERSHIP_DIR`]: memberDir(name) }
}

const exchanging = (ground: Ground, prefix: string, name: string): Environment => ({
  NATS_URL: ground.brokerUrl(name),
  DATABASE_URL: ground.databaseUrl(name),
  ...membershipOf(ground, prefix, name),
  [`${prefix}BROKER_CREDENTIALS_FILE`]: ground.brokerCredentialsFile(name),
  ...(ground.brokerCaFile === undefined ? {} : { [`${prefix}BROKER_CA_FILE`]: ground.brokerCaFile }),
  [`${prefix}DATA_DIR`]: join(ground.home, 'data', name),
  [`${prefix}ACCESS_CLIENTS_FILE`]: ground.clients?.get(name)?.file,
  [`${prefix}IDENTITY_PROVIDER_FILE`]: ground.providerFile?.(name),
  ...listening(ground, prefix, name),
})

/** null for a node that has no login */
export const loginUrlFor = (ground: Pick<Ground, 'ports'>, code: string): string | null =>
  ground.ports.has(loginName(code)) ? urlFor(ground, loginName(code)) : null

const loginOf = (ground: Ground, code: string): Environment => {
  const issuer = loginUrlFor(ground, code)
  if (issuer === null || ground.loginClientsFile === undefined) return {}
  return {
    HUTONG_NODE_LOGIN_ISSUER: issuer,
    HUTONG_NODE_LOGIN_CLIENTS_FILE: ground.loginClientsFile(code),
    HUTONG_NODE_LOGIN_HTTP_HOST: LOOPBACK,
    HUTONG_NODE_LOGIN_HTTP_PORT: new URL(issuer).port,
  }
}

export const hubPlan = (ground: Ground): ProgramPlan =>
  plan(ground, 'hub', 'hub/main.ts', () => ({
    HUTONG_HUB_BROKER_AUTHORITY_FILE: ground.brokerAuthorityFile,
    HUTONG_HUB_OPERATOR_TOKEN_FILE: ground.secrets.operatorTokenFile('hub'),
    ...exchanging(ground, 'HUTONG_HUB_', 'hub'),
  }))

export const nodePlan = (ground: Ground, { code }: MemberPlan): ProgramPlan =>
  plan(ground, code, 'node/main.ts', () => ({
    HUTONG_NODE_CODE: code,
    HUTONG_NODE_OPERATOR_TOKEN_FILE: ground.secrets.operatorTokenFile(code),
    HUTONG_NODE_CERTIFICATES: ground.certificates === true ? 'serve' : 'off',
    ...loginOf(ground, code),
    ...exchanging(ground, 'HUTONG_NODE_', code),
  }))

/** The provider that vouches for the people of the demo. */
export const peoplePlan = (ground: Ground): ProgramPlan =>
  plan(ground, 'people', 'conformance/identity/main.ts', () => ({
    HUTONG_PEOPLE_HTTP_PORT: String(ground.ports.get('people') ?? 0),
  }))

/** The members that have sample trading systems: all but the national reader, which has none of its own. */
export const sampledMembers = (members: readonly MemberPlan[]): MemberPlan[] => members.filter(member => member.kind !== 'national')

export const samplesPlan = (ground: Ground, systemsFile: string): ProgramPlan =>
  plan(ground, 'samples', 'conformance/samples/main.ts', () => ({
    HUTONG_SAMPLES_SYSTEMS_FILE: systemsFile,
    ...listening(ground, 'HUTONG_SAMPLES_', 'samples'),
  }))

/** The file that the sample systems read, as they document it. */
export const formatSystems = (ground: Ground, members: readonly MemberPlan[]): string =>
  `${JSON.stringify(
    sampledMembers(members).map(({ code }) => ({
      code,
      database_url: ground.databaseUrl(`samples-${code}`),
      node_url: urlFor(ground, code),
      client_file: ground.clients?.get(code)?.clientFile('local-trading-system'),
      login_issuer: loginUrlFor(ground, code) ?? undefined,
    })),
  )}\n`
