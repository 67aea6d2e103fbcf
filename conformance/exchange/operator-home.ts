/** A folder with the federation file of a testbed, and the `hutong` command in it, as an operator has both. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatFederationFile } from '../../console/terminal/federation-file.ts'
import { runCommandLine } from '../../console/terminal/program.ts'
import type { Testbed } from './testbed.ts'

export type OperatorHome = AsyncDisposable & {
  readonly path: string
  run(...args: string[]): Promise<{ readonly code: number; readonly said: string }>
}

/** `codes` are the members whose nodes run. */
export async function operatorHome(bed: Testbed, codes: readonly string[]): Promise<OperatorHome> {
  const path = await mkdtemp(join(tmpdir(), 'hutong-operator-'))
  const tokenFile = async (program: string): Promise<string> => {
    await writeFile(join(path, program), await bed.token(program), { mode: 0o600 })
    return join(path, program)
  }
  const nodes = await Promise.all(
    codes.map(async code => {
      const place = { zh: code, en: code, url: bed.node(code).url, operator_token_file: await tokenFile(code), log_file: '-' }
      return [code, place] as const
    }),
  )
  const file = {
    fed: bed.membership.fed,
    membership_file: bed.membershipFile,
    launcher_pid: 1,
    hub: { url: bed.hub.url, operator_token_file: await tokenFile('hub') },
    nodes: Object.fromEntries(nodes),
    started_at: '-',
  }
  await writeFile(join(path, 'federation.json'), formatFederationFile(file))
  return {
    path,
    async run(...args) {
      let said = ''
      const into = {
        write(text: string) {
          said += text
        },
      }
      return { code: await runCommandLine(args, { HUTONG_HOME: path }, { out: into, err: into }), said }
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  }
}
