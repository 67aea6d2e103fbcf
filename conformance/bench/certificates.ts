/** `bench certificates`: answers a second, cold and warm, beside the bare signature check; and a province's certificates brought in. */
import { NODE_MIGRATIONS } from '../../node/migrations/migrations.ts'
import type { TrustTables } from '../../node/trust/tables.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { openStore } from '../../runtime/store.ts'
import { temporaryHome } from '../exchange/servers.ts'
import { benchCertificateImport, IMPORTED } from './certificate-import.ts'
import { benchCertificateSpeed } from './certificate-speed.ts'
import type { Figure } from './figures.ts'

const QUICK_IMPORT = 2000

export async function benchCertificates(options: {
  readonly pairs: number
  readonly quick: boolean
  readonly rows: number | undefined
  readonly progress: (text: string) => void
  readonly signal: AbortSignal
}): Promise<Figure[]> {
  const { quick, signal, progress } = options
  await using undo = new AsyncDisposableStack()
  const home = await temporaryHome(undo, 'bench-certificates')
  const store = undo.use(
    await openStore<LedgerTables & TrustTables>({
      program: 'bench',
      databaseUrl: process.env.DATABASE_URL,
      dataDir: home,
      migrations: NODE_MIGRATIONS,
      poolSize: 4,
      signal,
    }),
  )
  const db = store.database.kysely
  const speed = await benchCertificateSpeed({ ...options, db: db.$pickTables<keyof TrustTables>() })
  const count = options.rows ?? (quick ? QUICK_IMPORT : IMPORTED)
  return [...speed, ...(await benchCertificateImport({ db, count, progress, signal }))]
}
