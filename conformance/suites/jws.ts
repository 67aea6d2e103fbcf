/** Wycheproof's JSON Web Signatures: groups of tokens with the key that a verifier holds. */
import { verifyCompact } from './compact-jws.ts'
import { filesOf, isObject, type Json, type JsonFile, malformed, readJsonTree } from './material.ts'
import { type Expected, notApplicable, type Suite, type SuiteCase } from './suite.ts'

const EXPECTED: { readonly [result: string]: Expected | undefined } = {
  valid: 'accepted',
  acceptable: 'accepted',
  invalid: 'refused',
}

type Files = { readonly path: string; readonly groups: readonly unknown[] }

const groupsOf = ({ path, value }: JsonFile): Files | null =>
  isObject(value) && Array.isArray(value.testGroups) ? { path, groups: value.testGroups } : null

/** The key that verifies: the public one; of a MAC the one there is. */
const keyOf = (group: Json): unknown => group.public ?? group.private

function caseOf(path: string, prefix: string, group: Json, test: unknown): SuiteCase {
  const expected = isObject(test) && typeof test.result === 'string' ? EXPECTED[test.result] : undefined
  if (!isObject(test) || expected === undefined || !['number', 'string'].includes(typeof test.tcId))
    throw malformed(path, 'expected tests with tcId and a result of valid, invalid or acceptable')
  const id = `${prefix}${test.tcId}`
  if (test.result === 'acceptable') return { id, expected, judge: () => notApplicable('not-decided') }
  if (!Object.hasOwn(test, 'jws')) return { id, expected, judge: () => notApplicable('encryption') }
  return { id, expected, judge: () => verifyCompact(test.jws, keyOf(group)) }
}

export const jws: Suite = {
  name: 'jws',
  zh: 'JSON 网络签名（Wycheproof）',
  en: 'JSON Web Signatures (Wycheproof)',
  async read(path) {
    const files = filesOf(path, await readJsonTree(path), groupsOf, 'expected Wycheproof test groups')
    return files.flatMap(file => {
      // Each file counts from 1; of several, the name keeps the ids apart.
      const prefix = files.length === 1 ? '' : `${file.path}#`
      return file.groups.flatMap(group => {
        if (!isObject(group) || !Array.isArray(group.tests)) throw malformed(file.path, 'expected groups with tests')
        return group.tests.map(test => caseOf(file.path, prefix, group, test))
      })
    })
  },
}
