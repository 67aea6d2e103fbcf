/** Keys that the browser keeps for the holder (IndexedDB): usable by this page, readable by nobody, the page included. */
import type { HeldKey } from './software-key.ts'

export type KeptKey = HeldKey & { readonly label: string }
export type Shelf = {
  list(): Promise<readonly KeptKey[]>
  put(key: KeptKey): Promise<void>
  clear(): Promise<void>
}

/** As much of IndexedDB as is used. */
type Request<T> = { result: T; onsuccess: (() => void) | null; onerror: (() => void) | null }
type Store = {
  getAll(): Request<readonly KeptKey[]>
  put(value: KeptKey, key: string): Request<unknown>
  clear(): Request<unknown>
}
type Database = {
  createObjectStore(name: string): unknown
  transaction(name: string, mode: 'readonly' | 'readwrite'): { objectStore(name: string): Store }
}
export type KeyDatabase = { open(name: string, version: number): Request<Database> & { onupgradeneeded: (() => void) | null } }

const STORE = 'keys'

const settled = <T>(request: Request<T>): Promise<T> => {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  request.onsuccess = () => resolve(request.result)
  request.onerror = () => reject(new Error('the browser keeps no keys'))
  return promise
}

export function openShelf(databases: KeyDatabase): Shelf {
  const database = async (): Promise<Database> => {
    const request = databases.open('hutong-login', 1)
    request.onupgradeneeded = () => void request.result.createObjectStore(STORE)
    return settled(request)
  }
  const store = async (mode: 'readonly' | 'readwrite'): Promise<Store> =>
    (await database()).transaction(STORE, mode).objectStore(STORE)
  return {
    list: async () => settled((await store('readonly')).getAll()),
    put: async key => void (await settled((await store('readwrite')).put(key, key.label))),
    clear: async () => void (await settled((await store('readwrite')).clear())),
  }
}
