/**
 * The NIST PKI test suite (PKITS) in the form of `vectors.json` with `certs/` and `crls/`: each case names its path, anchor first, the
 * lists, and the inputs of RFC 5280 §6.1.1 (c) to (g).
 */
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ExchangeError } from '../../schemas/errors.ts'
import { LEGACY_ALGORITHM_POLICY } from '../../schemas/trust/algorithm-policy.ts'
import type { Certificate } from '../../schemas/trust/certificate.ts'
import type { Crl } from '../../schemas/trust/crl.ts'
import { certificatesOf, crlsOf, judgePath, leafOf } from './certificates.ts'
import { isFolder, isObject, type Json, malformed, readJson, textOf, textsOf, timeOf } from './material.ts'
import { notApplicable, type Suite, type SuiteCase } from './suite.ts'

const ANY_POLICY = '2.5.29.32.0'
/** PKITS §3.1: NIST-test-policy-1 and so on. */
const TEST_POLICIES = '2.16.840.1.101.3.2.1.48'

/** The edition of 2011 is valid from 2010 to the end of 2030. Within it, a run means the same on every day. */
const WITHIN_THE_EDITION = Date.UTC(2026, 0, 1)

function policyOf(path: string, name: string): string {
  if (name === 'anyPolicy') return ANY_POLICY
  const number = /^NIST-test-policy-([0-9]{1,3})$/.exec(name)?.[1]
  if (number !== undefined) return `${TEST_POLICIES}.${number}`
  if (/^[0-2](\.[0-9]+)+$/.test(name)) return name
  throw malformed(path, `expected the name or identifier of a policy, got ${name}`)
}

/** A case names its path. Whose certificate signs one of its lists and is not on it comes from the folder. */
function signersOf(crls: readonly Crl[], path: readonly Certificate[], folder: readonly Certificate[]): Certificate[] {
  const present = new Set(path.map(({ subject }) => subject.canonical))
  const absent = new Set(crls.map(({ issuer }) => issuer.canonical).filter(name => !present.has(name)))
  return absent.size === 0 ? [] : folder.filter(({ subject }) => absent.has(subject.canonical))
}

/** The files of both folders by name, read once. */
type Material = ReadonlyMap<string, Uint8Array>

async function materialOf(folder: string): Promise<Material> {
  const names = await readdir(folder).catch(cause => {
    throw new ExchangeError('SUITE_FILE_MISSING', `expected the folder ${folder}`, { cause })
  })
  return new Map(await Promise.all(names.sort().map(async name => [name, await readFile(join(folder, name))] as const)))
}

function caseOf(path: string, one: Json, certs: Material, crls: Material, folder: () => readonly Certificate[]): SuiteCase {
  const id = textOf(one.Name)
  const [anchor, ...rest] = textsOf(one.CertPath)
  if (id === null || anchor === undefined || typeof one.ShouldValidate !== 'boolean')
    throw malformed(path, 'expected cases with Name, CertPath and ShouldValidate')
  const expected = one.ShouldValidate ? 'accepted' : 'refused'
  const lists = textsOf(one.CRLPath)
  if ([anchor, ...rest].some(name => !certs.has(name)) || lists.some(name => !crls.has(name)))
    return { id, expected, judge: () => notApplicable('file-missing') }
  const named = textsOf(one.InitialPolicySet).map(name => policyOf(path, name))
  const at = timeOf(one.ValidationTime, WITHIN_THE_EDITION)
  if (at === null) throw malformed(path, `${id}: expected a time`)
  const bytesOf = (names: readonly string[], from: Material): Uint8Array[] => names.map(name => from.get(name) ?? Buffer.of())
  return {
    id,
    expected,
    judge: () => {
      const anchors = certificatesOf(bytesOf([anchor], certs))
      const between = certificatesOf(bytesOf(rest.slice(0, -1), certs))
      const given = crlsOf(bytesOf(lists, crls))
      return judgePath({
        leaf: leafOf(certs.get(rest.at(-1) ?? anchor) ?? Buffer.of()),
        intermediates: [...between, ...signersOf(given, [...anchors, ...between], folder())],
        anchors,
        crls: given,
        at,
        // DSA, and what else was accepted when the suite was made
        algorithms: LEGACY_ALGORITHM_POLICY,
        revocation: 'required',
        policies: {
          initial: named.length === 0 ? [ANY_POLICY] : named,
          requireExplicit: one.InitialExplicitPolicy === true,
          inhibitMapping: one.InitialPolicyMappingInhibit === true,
          inhibitAny: one.InitialAnyPolicyInhibit === true,
        },
      })
    },
  }
}

export const pkits: Suite = {
  name: 'pkits',
  zh: 'NIST PKITS 证书路径验证',
  en: 'NIST PKITS path validation',
  async read(path) {
    const folder = (await isFolder(path)) ? path : dirname(path)
    const file = folder === path ? join(folder, 'vectors.json') : path
    const vectors = await readJson(file)
    if (!Array.isArray(vectors) || vectors.length === 0) throw malformed(file, 'expected an array of cases')
    const [certs, crls] = [await materialOf(join(folder, 'certs')), await materialOf(join(folder, 'crls'))]
    let folderRead: readonly Certificate[] | undefined
    const all = (): readonly Certificate[] => {
      folderRead ??= certificatesOf([...certs.values()])
      return folderRead
    }
    return vectors.map(one => {
      if (!isObject(one)) throw malformed(file, 'expected cases')
      return caseOf(file, one, certs, crls, all)
    })
  },
}
