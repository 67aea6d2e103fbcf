/**
 * Chains of SM2 certificates, with others among them: a manifest of cases that name files beside it, PEM or DER. The signer ID is the
 * case's, for it stands in no certificate.
 */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { certificatesOf, crlsOf, judgePath, leafOf } from './certificates.ts'
import {
  filesOf,
  isFolder,
  isObject,
  type Json,
  type JsonFile,
  malformed,
  readJsonTree,
  textOf,
  textsOf,
  timeOf,
} from './material.ts'
import { type Expected, type Judged, notApplicable, type Suite, type SuiteCase } from './suite.ts'

const EXPECTED: { readonly [result: string]: Expected | undefined } = {
  accepted: 'accepted',
  valid: 'accepted',
  good: 'accepted',
  SUCCESS: 'accepted',
  true: 'accepted',
  refused: 'refused',
  rejected: 'refused',
  invalid: 'refused',
  bad: 'refused',
  FAILURE: 'refused',
  false: 'refused',
}

async function judge(one: Json, folder: string, at: number): Promise<Judged> {
  const read = (names: readonly string[]): Promise<Uint8Array[]> =>
    Promise.all(names.map(name => readFile(join(folder, name)))).catch(cause => {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return Promise.reject(new FileMissing())
      return Promise.reject(cause)
    })
  try {
    const [leaf = Buffer.of()] = await read([String(one.leaf)])
    const crls = textsOf(one.crls)
    const { sm2Id } = one
    return judgePath({
      leaf: leafOf(leaf),
      intermediates: certificatesOf(await read(textsOf(one.untrusted))),
      anchors: certificatesOf(await read(textsOf(one.trusted))),
      crls: crlsOf(await read(crls)),
      at,
      revocation: crls.length > 0 ? 'required' : 'ignored',
      ...(typeof sm2Id === 'string' ? { sm2Id: () => sm2Id } : {}),
    })
  } catch (error) {
    if (error instanceof FileMissing) return notApplicable('file-missing')
    throw error
  }
}

class FileMissing extends Error {}

function caseOf(path: string, folder: string, one: unknown, now: number): SuiteCase {
  const id = isObject(one) ? (textOf(one.id) ?? (typeof one.id === 'number' ? String(one.id) : null)) : null
  const expected = isObject(one) ? EXPECTED[String(one.expected)] : undefined
  if (!isObject(one) || id === null || expected === undefined || typeof one.leaf !== 'string')
    throw malformed(path, 'expected cases with id, leaf and expected')
  const at = timeOf(one.validationTime, now)
  if (at === null) throw malformed(path, `${id}: expected a validationTime of RFC 3339`)
  return { id, expected, judge: () => judge(one, folder, at) }
}

type Manifest = { readonly path: string; readonly cases: readonly unknown[] }

/** The array itself, or the `cases` of an object around it. */
function manifestOf({ path, value }: JsonFile): Manifest | null {
  const cases = isObject(value) ? value.cases : value
  return Array.isArray(cases) && cases.every(one => isObject(one) && Object.hasOwn(one, 'leaf')) ? { path, cases } : null
}

export const sm2: Suite = {
  name: 'sm2',
  zh: 'SM2 证书路径验证',
  en: 'path validation with SM2',
  async read(path) {
    const root = (await isFolder(path)) ? path : dirname(path)
    const manifests = filesOf(path, await readJsonTree(path), manifestOf, 'expected a manifest of SM2 cases')
    const now = Date.now()
    return manifests.flatMap(({ path: name, cases }) => {
      const prefix = manifests.length === 1 ? '' : `${name}#`
      return cases.map(one => {
        const made = caseOf(name, join(root, dirname(name)), one, now)
        return { ...made, id: `${prefix}${made.id}` }
      })
    })
  },
}
