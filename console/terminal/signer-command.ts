/** `hutong certificate signer`: signs logins with a key of this machine, as long as it runs. */
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline/promises'
import { type Command, InvalidArgumentError } from 'commander'
import { untilSignal } from '../../runtime/lifetime.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import type { LoginStatement } from '../../schemas/login/statement.ts'
import { AGENT_PORT } from '../login/agent.ts'
import { openHolderKeys } from './holder-key.ts'
import { type Around, count } from './options.ts'
import { startSigner } from './signer.ts'
import type { Terminal } from './text.ts'

type Flags = {
  readonly key: readonly string[]
  readonly origin: readonly string[]
  readonly passwordFile?: string
  readonly port?: number
  readonly yes?: boolean
}

const origins = (text: string, before: readonly string[] = []): readonly string[] => {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    throw new InvalidArgumentError('应为登录页的网址 expected the address of a login page')
  return [...before, url.origin]
}

const question = async ({ client, issuer }: LoginStatement, terminal: Terminal): Promise<boolean> => {
  terminal.out.write(`登录 log in: ${client} (${issuer})\n`)
  const lines = createInterface({ input: process.stdin })
  try {
    terminal.out.write('签名？Sign? [y/N] ')
    return /^y(es)?$/i.test((await lines.question('', { signal: AbortSignal.timeout(60_000) })).trim())
  } catch {
    return false
  } finally {
    lines.close()
  }
}

async function passwordFrom(path: string | undefined): Promise<string> {
  if (path === undefined) return ''
  const text = await readFile(path, 'utf8').catch(cause => {
    throw new ExchangeError('KEY_FILE_INVALID', `${path}: the file cannot be read`, { cause })
  })
  return text.replace(/\r?\n$/, '')
}

/** @throws KEY_FILE_INVALID, ADDRESS_UNAVAILABLE */
async function runSigner(
  { key, origin, passwordFile, port = AGENT_PORT, yes = false }: Flags,
  terminal: Terminal,
): Promise<number> {
  const keys = await openHolderKeys(key, await passwordFrom(passwordFile))
  const confirm = async (statement: LoginStatement): Promise<boolean> => yes || question(statement, terminal)
  await using signer = await startSigner({ keys, port, origins: origin, confirm })
  for (const { label } of keys.list()) terminal.out.write(`证书 certificate: ${label}\n`)
  terminal.out.write(`本机签名程序已启动，按 Ctrl-C 停止 The signer listens on 127.0.0.1:${signer.port}; Ctrl-C stops it\n`)
  await untilSignal()
  return 0
}

export function addSignerCommand(certificate: Command, { terminal, exit }: Pick<Around, 'terminal' | 'exit'>): void {
  certificate
    .command('signer')
    .description(
      '本机签名程序：用 PEM 或 PKCS #12 密钥（含 SM2）为登录页签名。Signs for the login page with a PEM or PKCS #12 key of this machine, SM2 included',
    )
    .requiredOption('--key <file...>', '私钥与证书文件 files of private key and certificate')
    .requiredOption('--origin <url>', '允许的登录页网址，可重复 address of a login page that may ask; can be repeated', origins)
    .option('--password-file <file>', '文件口令 file with the password of the key')
    .option('--port <number>', `端口，默认 ${AGENT_PORT} port, ${AGENT_PORT} unless given`, count)
    .option('--yes', '不逐次确认 signs without asking each time')
    .action(async (flags: Flags) => exit(await runSigner(flags, terminal)))
}
