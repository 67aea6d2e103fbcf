/** What the operator of a program may do there: the token that says so, and the mappings that rows are read with. */
import { readFile } from 'node:fs/promises'
import { ExchangeError } from '../../schemas/errors.ts'
import { askJson } from './request.ts'

/** @throws REQUEST_UNAUTHORIZED naming the file, or saying that the federation file names none */
export async function readOperatorToken(program: string, path: string | undefined): Promise<string> {
  if (path === undefined) {
    throw new ExchangeError(
      'REQUEST_UNAUTHORIZED',
      `${program}: 联盟文件未注明操作员令牌 the federation file names no operator token for it`,
    )
  }
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (cause) {
    throw new ExchangeError('REQUEST_UNAUTHORIZED', `${path}: 无法读取操作员令牌 the operator token cannot be read`, { cause })
  }
}

/** The header that goes with every question; empty where no token can be read, and the program then says so. */
export async function operatorHeaders(program: string, path: string | undefined): Promise<{ readonly [name: string]: string }> {
  const token = await readOperatorToken(program, path).catch((): null => null)
  return token === null ? {} : { authorization: `Bearer ${token}` }
}

/** Stores a mapping file at a node and returns the digest that names it there. */
export async function storeMapping(url: string, token: string, text: string): Promise<string> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/yaml' }
  const { digest } = (await askJson(`${url}/v1/mappings`, { method: 'POST', headers, body: text })) as {
    readonly digest?: unknown
  }
  if (typeof digest === 'string') return digest
  throw new ExchangeError('PROGRAM_UNREACHABLE', `${url}/v1/mappings: expected a digest`)
}
