import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { areDue, openLoginKeys, rotateKeys } from './keys.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hutong-login-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const NOW = new Date('2026-11-24T00:00:00Z')
const later = (days: number): Date => new Date(NOW.getTime() + days * 86_400_000)

describe('the keys of the login', () => {
  it('are made once, readable by their owner only, and found again', async () => {
    const path = join(folder, 'data', 'login-keys.json')
    const first = await (await openLoginKeys(path, NOW)).read()
    expect(first.generations[0].signing.map(({ alg }) => alg)).toEqual(['ES256', 'EdDSA', 'RS256'])
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await (await openLoginKeys(path, later(1))).read()).toEqual(first)
  })

  it('are replaced as a whole by their successors', async () => {
    const file = await openLoginKeys(join(folder, 'login-keys.json'), NOW)
    const next = await rotateKeys(await file.read(), later(91))
    await file.write(next)
    expect(await file.read()).toEqual(next)
  })

  it('are due after 90 days; who was replaced stays published for two days more, and pseudonyms never change', async () => {
    const first = await rotateKeys(null, NOW)
    expect([areDue(first, later(89)), areDue(first, later(91))]).toEqual([false, true])
    const second = await rotateKeys(first, later(91))
    expect(second.generations.map(({ made_at }) => made_at)).toEqual([later(91), NOW].map(date => date.toISOString()))
    const third = await rotateKeys(second, later(92))
    expect(third.generations).toHaveLength(3)
    expect((await rotateKeys(third, later(200))).generations).toHaveLength(2)
    expect(third.pseudonyms).toBe(first.pseudonyms)
  })

  it('are refused when others can read them, or when the file holds something else, without quoting it', async () => {
    const path = join(folder, 'login-keys.json')
    const file = await openLoginKeys(path, NOW)
    await chmod(path, 0o644)
    await expect(file.read()).rejects.toMatchObject({ code: 'KEY_FILE_INVALID' })
    await chmod(path, 0o600)
    await writeFile(path, '{"generations":[],"secret":"planted"}')
    await expect(file.read()).rejects.toThrow(/^(?!.*planted).*KEY_FILE_INVALID/)
  })
})
