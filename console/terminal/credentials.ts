/** Acting in a role: the client whose key stands in a file gets a token of the program it speaks to. */
import { readClientFile, requestToken } from '../../runtime/http/access/client.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import type { Holder } from './federation-file.ts'
import { readOperatorToken } from './operator.ts'

export type Acting = {
  /** role of a client that the federation file names */
  readonly as: string
  /** another client's file instead */
  readonly client?: string
}

/** @throws REQUEST_UNAUTHORIZED, KEY_FILE_INVALID, PROGRAM_UNREACHABLE */
export async function tokenFor(holder: Holder, { as, client }: Acting): Promise<string> {
  const path = client ?? holder.client_files?.[as]
  // A program that no client was registered at yet is spoken to with its operator token.
  if (path === undefined && holder.client_files === undefined && holder.operator_token_file !== undefined)
    return readOperatorToken(holder.name, holder.operator_token_file)
  if (path === undefined) {
    const known = Object.keys(holder.client_files ?? {}).join(', ') || '–'
    throw new ExchangeError(
      'REQUEST_UNAUTHORIZED',
      `${holder.name}: 联盟文件中没有角色 ${as} 的客户端（${known}），可用 --client 指明文件 the federation file names no client with the role ${as} (${known}); --client names a file`,
    )
  }
  return (await requestToken(holder.url, await readClientFile(path))).token
}

export const headersFor = async (holder: Holder, acting: Acting): Promise<{ readonly authorization: string }> => ({
  authorization: `Bearer ${await tokenFor(holder, acting)}`,
})
