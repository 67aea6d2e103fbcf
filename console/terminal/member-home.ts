/**
 * What a member's people need to run their node and to speak to it once it has joined: an operator token, the node's settings, and a
 * federation file that names it, in the member's folder. Made once; whoever runs the node otherwise changes or leaves them.
 */
import { randomBytes } from 'node:crypto'
import { join, resolve } from 'node:path'
import { writeOnce } from '../../runtime/keys/owner-only-file.ts'
import { keptPort } from '../../runtime/loopback-port.ts'
import type { JoinFile } from '../../runtime/membership/join-file.ts'
import { formatFederationFile } from './federation-file.ts'

export type MemberHome = { readonly folder: string; readonly settingsFile: string }

const kept = (path: string, text: string): Promise<void> =>
  writeOnce(path, text).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })

export async function prepareMemberHome(
  { fed, code, zh, en, hub }: JoinFile,
  options: {
    readonly folder: string
    readonly brokers: string
    readonly passphraseFile?: string | undefined
    readonly agentSocket?: string | undefined
  },
): Promise<MemberHome> {
  const folder = resolve(options.folder)
  const tokenFile = join(folder, 'operator.token')
  const settingsFile = join(folder, 'node.env')
  const url = `http://127.0.0.1:${await keptPort(join(folder, 'http.port'))}`
  await kept(tokenFile, `${randomBytes(32).toString('base64url')}\n`)
  const settings = {
    HUTONG_NODE_CODE: code,
    HUTONG_NODE_MEMBERSHIP_DIR: folder,
    HUTONG_NODE_DATA_DIR: join(folder, 'data'),
    HUTONG_NODE_HTTP_PORT: new URL(url).port,
    HUTONG_NODE_OPERATOR_TOKEN_FILE: tokenFile,
    ...(options.passphraseFile === undefined ? {} : { HUTONG_NODE_KEY_PASSPHRASE_FILE: resolve(options.passphraseFile) }),
    ...(options.agentSocket === undefined ? {} : { HUTONG_NODE_SIGNING_AGENT_SOCKET: resolve(options.agentSocket) }),
    NATS_URL: options.brokers,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
  await kept(settingsFile, `${lines.join('\n')}\n`)
  const node = { zh, en, url, operator_token_file: tokenFile, log_file: join(folder, 'node.log') }
  const file = {
    fed,
    membership_file: join(folder, 'membership.json'),
    launcher_pid: 0,
    hub: { url: hub },
    nodes: { [code]: node },
    started_at: new Date().toISOString(),
  }
  await kept(join(folder, 'federation.json'), formatFederationFile(file))
  return { folder, settingsFile }
}
