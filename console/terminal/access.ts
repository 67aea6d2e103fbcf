/** The register of clients at a hub or node: who may enter, with which rights. */
import { readFile } from 'node:fs/promises'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { writeOnce } from '../../runtime/keys/owner-only-file.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import { type Acting, headersFor, tokenFor } from './credentials.ts'
import { type FederationFile, holderNamed } from './federation-file.ts'
import { askJson } from './request.ts'
import { formatTable } from './table.ts'
import { type Terminal, writeJson } from './text.ts'

type Common = Acting & { readonly at: string; readonly json: boolean }
type Client = {
  readonly id: string
  readonly name: string
  readonly roles: readonly string[]
  readonly regions?: readonly string[]
  readonly sectors?: readonly string[]
  readonly platforms?: readonly string[]
  readonly per_minute: number
  readonly removed_at: string | null
}

export async function runClientsList(file: FederationFile, options: Common, terminal: Terminal): Promise<number> {
  const holder = holderNamed(file, options.at)
  const answer = (await askJson(`${holder.url}/v1/access/clients`, { headers: await headersFor(holder, options) })) as {
    readonly clients: readonly Client[]
  }
  if (options.json) writeJson(terminal, answer)
  else {
    const rows = answer.clients.map(({ id, roles, regions = [], sectors = [], platforms = [], per_minute, removed_at }) => [
      id,
      roles.join(' '),
      [...regions, ...sectors, ...platforms].join(' ') || '–',
      String(per_minute),
      removed_at === null ? '✔' : `✘ ${removed_at}`,
    ])
    terminal.out.write(formatTable(['客户端 client', '角色 roles', '范围 scope', '每分钟 a minute', '有效 valid'], rows))
  }
  return 0
}

export type AddOptions = Common & {
  readonly roles: readonly string[]
  readonly regions?: readonly string[]
  readonly sectors?: readonly string[]
  readonly platforms?: readonly string[]
  readonly perMinute?: number
  readonly name?: string
  /** file with the client's public JWK */
  readonly key?: string
  /** without a key of its own: a new one is made and written here, owner-only */
  readonly out?: string
}

/** @throws CLIENT_INVALID, ACCESS_DENIED, KEY_FILE_INVALID, REQUEST_INVALID */
export async function runClientsAdd(file: FederationFile, id: string, options: AddOptions, terminal: Terminal): Promise<number> {
  const holder = holderNamed(file, options.at)
  if ((options.key === undefined) === (options.out === undefined))
    throw new ExchangeError('REQUEST_INVALID', '给出 --key（公钥文件）或 --out（生成新密钥）之一 expected either --key or --out')
  const headers = await headersFor(holder, options)
  const made =
    options.key === undefined ? await exportJWK((await generateKeyPair('Ed25519', { extractable: true })).privateKey) : null
  const { d: _, ...publicJwk } = made ?? (await readJwk(options.key ?? ''))
  const { roles, regions, sectors, platforms, perMinute, name } = options
  const body = JSON.stringify({ keys: [publicJwk], roles, regions, sectors, platforms, per_minute: perMinute, name })
  const answer = (await askJson(`${holder.url}/v1/access/clients/${encodeURIComponent(id)}`, {
    method: 'PUT',
    headers: { ...headers, 'content-type': 'application/json' },
    body,
  })) as { readonly keys: readonly string[] }
  if (made !== null && options.out !== undefined) {
    const { issuer } = (await askJson(`${holder.url}/v1/access/clients`, { headers })) as { readonly issuer: string }
    await writeOnce(options.out, `${JSON.stringify({ id, issuer, jwk: made })}\n`)
  }
  if (options.json) writeJson(terminal, answer)
  else terminal.out.write(`✔ ${id} @ ${holder.name}: ${roles.join(' ')}, kid ${answer.keys.join(' ')}\n`)
  return 0
}

async function readJwk(path: string): Promise<JWK> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as JWK
  } catch {
    throw new ExchangeError('KEY_FILE_INVALID', `${path}: 应为公钥 JWK expected a public JWK`)
  }
}

export async function runClientsRemove(file: FederationFile, id: string, options: Common, terminal: Terminal): Promise<number> {
  const holder = holderNamed(file, options.at)
  const headers = await headersFor(holder, options)
  const answer = await askJson(`${holder.url}/v1/access/clients/${encodeURIComponent(id)}`, { method: 'DELETE', headers })
  if (options.json) writeJson(terminal, answer)
  else terminal.out.write(`✔ ${id} @ ${holder.name} 已注销 removed\n`)
  return 0
}

/** Prints an access token, for a program that asks by itself. It is good for minutes. */
export async function runToken(
  file: FederationFile,
  options: Acting & { readonly at: string },
  terminal: Terminal,
): Promise<number> {
  terminal.out.write(`${await tokenFor(holderNamed(file, options.at), options)}\n`)
  return 0
}
