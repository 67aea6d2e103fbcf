import { describe, expect, test } from 'vitest'
import { readersChangedAt, wrappingKeys } from './membership/content-keys.ts'
import { encKeyNamed, keyNamed } from './membership/sample-federation.ts'
import { type MembershipFile, parseMembership } from './membership.ts'

async function file(enc: { readonly [code: string]: readonly object[] }, position = 1): Promise<string> {
  const member = async (code: string) => ({
    code,
    kind: 'province',
    zh: '某省',
    en: 'Some province',
    writes: ['entity'],
    alliances: ['west'],
    keys: [(await keyNamed(code)).jwk],
    ...(enc[code] === undefined ? {} : { enc: enc[code] }),
  })
  const whole = {
    fed: 'sample-1',
    position,
    hub: { keys: [(await keyNamed('hub')).jwk] },
    members: [await member('530000'), await member('520000')],
  }
  return JSON.stringify(whole satisfies { [name in keyof MembershipFile]: unknown })
}
const [YUNNAN, GUIZHOU, NEXT] = [encKeyNamed('530000'), encKeyNamed('520000'), encKeyNamed('next')]

describe('a membership file', () => {
  test('names keys for restricted audiences: content keys are wrapped for the newest of each reader', async () => {
    const membership = await parseMembership(await file({ '530000': [YUNNAN], '520000': [GUIZHOU, NEXT] }, 7))
    expect(wrappingKeys(membership, '530000', 'alliance-west')).toEqual([
      { code: '530000', jwk: YUNNAN },
      { code: '520000', jwk: NEXT },
    ])
    expect(readersChangedAt(membership, '530000', 'alliance-west')).toBe(7)
  })

  test('without such a key leaves that reader without one, and nothing can be sealed for the audience', async () => {
    const membership = await parseMembership(await file({ '530000': [YUNNAN] }))
    expect(wrappingKeys(membership, '530000', 'alliance-west').map(({ code }) => code)).toEqual(['530000'])
  })

  test.each([
    ['a signing key', { kty: 'OKP', crv: 'Ed25519', x: YUNNAN.x }],
    ['no key', { kty: 'OKP' }],
  ])('with %s in their place is refused', async (_, enc) => {
    await expect(parseMembership(await file({ '530000': [enc] }))).rejects.toMatchObject({ code: 'MEMBERSHIP_FILE_INVALID' })
  })
})
