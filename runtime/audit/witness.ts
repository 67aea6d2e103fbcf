/**
 * The newest signed head of the audit log, in a file beside the database: whoever owns the database alone can neither rewrite the log up
 * to there nor cut it off, not even while the program is down. Where the two differ the head is set aside and shown with the log for
 * ever, so that every verification names it; the program goes on, because a database that was restored differs as well.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { parseToken } from '../../schemas/tokens.ts'

type Witnessed = { readonly seq: number; readonly digest: string }
export type AuditWitness = {
  /** null while none was written */
  newest(): Promise<Witnessed | null>
  write(token: string): Promise<void>
  /** The log is not what the newest head says. */
  setAside(): Promise<void>
  /** every head that is kept here, those that were set aside first */
  all(): Promise<string[]>
}

const NEWEST = 'audit-head.jwt'
const ASIDE = /^audit-head[.]broken-[0-9a-z-]+[.]jwt$/

/** @throws what reading a folder throws */
export function openAuditWitness(folder: string): AuditWitness {
  const path = join(folder, NEWEST)
  const read = async (file: string): Promise<string | null> =>
    readFile(file, 'utf8').then(
      text => text.trim(),
      (error: NodeJS.ErrnoException): null => {
        if (error.code === 'ENOENT') return null
        throw error
      },
    )
  return {
    async newest() {
      const token = await read(path)
      if (token === null || token === '') return null
      // This program's own file: whether the signature is right is for whoever verifies the log.
      const { seq, dig } = parseToken(token, 'audit').claims as { readonly seq: number; readonly dig: string }
      return { seq, digest: dig }
    },
    async write(token) {
      await mkdir(folder, { recursive: true })
      const draft = `${path}.${randomBytes(4).toString('hex')}.tmp`
      {
        await using file = await open(draft, 'wx', 0o600)
        await file.writeFile(`${token}\n`)
        await file.sync()
      }
      await rename(draft, path)
    },
    setAside: () => rename(path, join(folder, `audit-head.broken-${Date.now()}-${randomBytes(4).toString('hex')}.jwt`)),
    async all() {
      const names = await readdir(folder).catch((): string[] => [])
      const aside = names.filter(name => ASIDE.test(name)).sort()
      const tokens = await Promise.all([...aside, NEWEST].map(name => read(join(folder, name))))
      return tokens.flatMap(token => (token === null || token === '' ? [] : [token]))
    },
  }
}
