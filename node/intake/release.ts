/** A refused row, taken up again: read once more by its adapter, with its mapping or a mended one, and sealed if it passes now. */
import type { Kysely } from 'kysely'
import type { MappedRow } from '../../adapters/adapter.ts'
import { adapterNamed } from '../../adapters/adapters.ts'
import type { Mapping } from '../../adapters/mapping.ts'
import { notWhole, type Release, type Releaser, released, stays } from '../../runtime/ledger/release.ts'
import { DATASETS } from '../../schemas/datasets/datasets.ts'
import { ExchangeError } from '../../schemas/errors.ts'
import type { ItemResult, Sealer } from '../ledger/sealer.ts'
import { mappingOf } from './mappings.ts'
import type { IntakeTables } from './tables.ts'

const OUTCOMES: { readonly [K in ItemResult['kind']]: (result: ItemResult & { kind: K }) => Release } = {
  sealed: ({ ver, at }) => released(`sealed as version ${ver} at ${at.epoch}.${at.seq}`),
  unchanged: ({ ver }) => released(`says what already stands, version ${ver}`),
  superseded: () => released('superseded by what was taken in since'),
  parked: () => released('parked until its parent comes'),
  refused: ({ error }) => stays(error),
}

export const rowReleaser =
  (options: { readonly db: Kysely<IntakeTables>; readonly sealer: Sealer }, mapping: string | null): Releaser =>
  async ({ content, adapter: name, mapping: own, platform, heading, read_at, place, line, audience: meant }) => {
    if (content === null || name === null || platform === null || read_at === null) {
      return notWhole('the row was cut, masked or withheld when it was set aside: give its file in again')
    }
    const adapter = adapterNamed(name)
    const text = heading === null ? content : Buffer.concat([Buffer.from(`${heading}\n`), content])
    const read = {
      file: place ?? 'quarantine',
      mapping: asText(await mappingOf(options.db, mapping ?? own)),
      platform,
      now: read_at,
    }
    const rows: MappedRow[] = []
    for await (const row of adapter.read(once(text), read)) rows.push(row)
    const [row] = rows
    if (row === undefined || rows.length > 1) {
      return stays(new ExchangeError('ROW_MALFORMED', `expected one row, got ${rows.length}`))
    }
    if (row.kind === 'refused') {
      const { code, rule, field, en, zh } = row.fault
      return stays(new ExchangeError(code, en, { detail: { rule, field } }), zh)
    }
    const audience = meant ?? DATASETS.find(one => one.name === row.dataset)?.audience ?? 'all'
    const item = { candidate: row.candidate, parent: row.parent, place: place ?? 'quarantine', line, readAt: read_at }
    const [result] = await options.sealer.submit(row.dataset, audience, [item])
    if (result === undefined) throw new ExchangeError('INTERNAL', 'a row was submitted and not settled')
    return (OUTCOMES[result.kind] as (one: ItemResult) => Release)(result)
  }

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** What stands in quarantine is text already, whatever its file was. */
const asText = (mapping: Mapping | null): Mapping | null => (mapping === null ? null : { ...mapping, encoding: 'utf-8' })
