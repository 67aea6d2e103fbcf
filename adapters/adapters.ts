/** The adapters, one row each. */

import { ExchangeError } from '../schemas/errors.ts'
import type { Adapter } from './adapter.ts'
import { csvAdapter } from './csv/adapter.ts'
import { nationalAdapter } from './national/adapter.ts'
import { ocdsAdapter } from './ocds/adapter.ts'

export const ADAPTERS: readonly Adapter[] = [csvAdapter, nationalAdapter, ocdsAdapter]

/** @throws ExchangeError ADAPTER_UNKNOWN */
export const adapterNamed = (name: string): Adapter => {
  const adapter = ADAPTERS.find(known => known.name === name)
  if (adapter !== undefined) return adapter
  const names = ADAPTERS.map(known => known.name)
  throw new ExchangeError('ADAPTER_UNKNOWN', `the adapters are ${names.join(', ')}, not ${name}`, {
    detail: { name, adapters: names },
  })
}
