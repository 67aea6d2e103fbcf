/**
 * The federation file says where the hub and the nodes of the federation on this machine are. The launcher writes it, owner-only;
 * the `hutong` command finds every address in it and guesses none: a name that is not in the file is an error.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ExchangeError } from '../../schemas/errors.ts'

export type ClientFiles = { readonly [role: string]: string }
export type NodePlace = {
  readonly zh: string
  readonly en: string
  readonly url: string
  readonly operator_token_file: string
  /** role → file of a client that has it */
  readonly client_files?: ClientFiles
  /** where people log in with certificates */
  readonly login_url?: string
  /** key and certificate of the sample company of that province */
  readonly holder_file?: string
  readonly log_file: string
}
export type FederationFile = {
  readonly fed: string
  readonly membership_file: string
  readonly launcher_pid: number
  readonly hub: {
    readonly url: string
    readonly operator_token_file?: string
    readonly client_files?: ClientFiles
    readonly log_file?: string
  }
  readonly nodes: { readonly [code: string]: NodePlace }
  readonly samples?: { readonly url: string; readonly log_file?: string }
  /** the identity provider of the demo, and what its tokens must be addressed to at each program */
  readonly people?: { readonly url: string; readonly audiences: { readonly [program: string]: string } }
  /** url_file holds the URL of the superuser, owner-only */
  readonly postgres?: { readonly url_file?: string }
  readonly started_at: string
}

export const federationPath = (home: string): string => join(home, 'federation.json')

const invalid = (path: string, reason: string): ExchangeError => new ExchangeError('CONFIG_INVALID', `${path}: ${reason}`)

type Fields = { readonly [name: string]: unknown }

const objectAt = (value: unknown, path: string, name: string): Fields => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(path, `${name}: expected an object`)
  return value as Fields
}
const textAt = (fields: Fields, path: string, name: string, member: string): string => {
  const value = fields[member]
  if (typeof value !== 'string' || value === '') throw invalid(path, `${name}.${member}: expected text`)
  return value
}
const urlAt = (fields: Fields, path: string, name: string): string => {
  const text = textAt(fields, path, name, 'url')
  if (!/^https?:\/\//.test(text) || !URL.canParse(text))
    throw invalid(path, `${name}.url: expected an address that starts with http:// or https://`)
  return text.replace(/\/+$/, '')
}
const logFileOf = (fields: Fields): { log_file?: string } =>
  typeof fields.log_file === 'string' ? { log_file: fields.log_file } : {}

const clientFilesOf = (fields: Fields): { client_files?: ClientFiles } => {
  const { client_files: files } = fields
  if (typeof files !== 'object' || files === null) return {}
  return { client_files: Object.fromEntries(Object.entries(files).filter(([, path]) => typeof path === 'string')) }
}

/** @throws CONFIG_INVALID naming the member that is wrong; `path` only names the file in it */
export function parseFederationFile(text: string, path: string): FederationFile {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new ExchangeError('CONFIG_INVALID', `${path}: expected JSON`, { cause })
  }
  const file = objectAt(value, path, 'file')
  const hub = objectAt(file.hub, path, 'hub')
  const nodes = Object.entries(objectAt(file.nodes, path, 'nodes')).map(([code, node]): [string, NodePlace] => {
    const name = `nodes.${code}`
    if (!/^[0-9]{6}$/.test(code)) throw invalid(path, `${name}: expected a code of six digits`)
    const fields = objectAt(node, path, name)
    const text = (member: string): string => textAt(fields, path, name, member)
    return [
      code,
      {
        zh: text('zh'),
        en: text('en'),
        url: urlAt(fields, path, name),
        operator_token_file: text('operator_token_file'),
        ...clientFilesOf(fields),
        ...(typeof fields.login_url === 'string' ? { login_url: fields.login_url } : {}),
        ...(typeof fields.holder_file === 'string' ? { holder_file: fields.holder_file } : {}),
        log_file: text('log_file'),
      },
    ]
  })
  const samples = file.samples === undefined ? null : objectAt(file.samples, path, 'samples')
  const people = file.people === undefined ? null : objectAt(file.people, path, 'people')
  const postgres = file.postgres === undefined ? null : objectAt(file.postgres, path, 'postgres')
  return {
    fed: textAt(file, path, 'file', 'fed'),
    membership_file: textAt(file, path, 'file', 'membership_file'),
    launcher_pid: Number(file.launcher_pid),
    hub: {
      url: urlAt(hub, path, 'hub'),
      ...(typeof hub.operator_token_file === 'string' ? { operator_token_file: hub.operator_token_file } : {}),
      ...clientFilesOf(hub),
      ...logFileOf(hub),
    },
    nodes: Object.fromEntries(nodes),
    ...(samples === null ? {} : { samples: { url: urlAt(samples, path, 'samples'), ...logFileOf(samples) } }),
    ...(people === null
      ? {}
      : {
          people: {
            url: urlAt(people, path, 'people'),
            audiences: objectAt(people.audiences, path, 'people.audiences') as { readonly [program: string]: string },
          },
        }),
    ...(postgres === null ? {} : { postgres: typeof postgres.url_file === 'string' ? { url_file: postgres.url_file } : {} }),
    started_at: textAt(file, path, 'file', 'started_at'),
  }
}

export const formatFederationFile = (file: FederationFile): string => `${JSON.stringify(file, null, 2)}\n`

/** @throws PROGRAM_UNKNOWN saying how to start one if there is none, CONFIG_INVALID */
export async function readFederationFile(home: string): Promise<FederationFile> {
  const path = federationPath(home)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    throw new ExchangeError(
      'PROGRAM_UNKNOWN',
      missing
        ? `${path} 不存在：请先运行 npm start，或用 --home（HUTONG_HOME）指明其目录。There is no ${path}: run npm start first, or name its folder with --home (HUTONG_HOME).`
        : `${path} 无法读取。${path} cannot be read.`,
      missing ? {} : { cause },
    )
  }
  return parseFederationFile(text, path)
}

/** What can be asked for its logs: the hub under its own name, nodes under their codes. */
export type Holder = {
  readonly name: string
  readonly zh: string
  readonly en: string
  readonly url: string
  readonly operator_token_file?: string
  readonly client_files?: ClientFiles
}

export const holdersOf = (file: FederationFile): Holder[] => [
  {
    name: 'hub',
    zh: '枢纽',
    en: 'hub',
    url: file.hub.url,
    ...(file.hub.operator_token_file === undefined ? {} : { operator_token_file: file.hub.operator_token_file }),
    ...(file.hub.client_files === undefined ? {} : { client_files: file.hub.client_files }),
  },
  ...Object.entries(file.nodes).map(([name, { log_file: _, ...place }]) => ({ name, ...place })),
]

const known = (names: readonly string[]): string => (names.length === 0 ? '–' : names.join(', '))

/** @throws PROGRAM_UNKNOWN listing the names that there are */
export function nodeNamed(file: FederationFile, code: string): NodePlace {
  const node = Object.hasOwn(file.nodes, code) ? file.nodes[code] : undefined
  if (node !== undefined) return node
  const names = known(Object.entries(file.nodes).map(([name, { zh, en }]) => `${name} ${zh} ${en}`))
  throw new ExchangeError('PROGRAM_UNKNOWN', `没有节点 ${code}；现有：${names}。There is no node ${code}; there are: ${names}.`)
}

/** @throws PROGRAM_UNKNOWN listing the names that there are */
export function holderNamed(file: FederationFile, name: string): Holder {
  const holders = holdersOf(file)
  const holder = holders.find(one => one.name === name)
  if (holder !== undefined) return holder
  const names = known(holders.map(one => one.name))
  throw new ExchangeError(
    'PROGRAM_UNKNOWN',
    `没有枢纽或节点 ${name}；现有：${names}。There is no hub or node ${name}; there are: ${names}.`,
  )
}

/** @throws PROGRAM_UNKNOWN if the federation was started without sample systems */
export function samplesOf(file: FederationFile): { readonly url: string } {
  if (file.samples !== undefined) return file.samples
  throw new ExchangeError('PROGRAM_UNKNOWN', '此联盟启动时没有样例系统。This federation was started without sample systems.')
}
