import { copyFile, mkdtemp, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openMark } from './mark.ts'

const log = { origin: '530000', dataset: 'entity', audience: 'all' }
const head = (seq: number) => ({ epoch: 1, seq, digest: `d${seq}` })

let folder = ''
let path = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hutong-mark-'))
  path = join(folder, 'sealed.json')
})
afterEach(() => rm(folder, { recursive: true }))

async function seal(until: number): Promise<void> {
  using mark = await openMark(path)
  mark.begin([{ log, head: head(until) }])
}
async function found() {
  using mark = await openMark(path)
  return mark.found
}

describe('the note of what was sealed', () => {
  it('is found again by the next life, as its own', async () => {
    using mark = await openMark(path)
    expect(mark.found).toBeNull()
    mark.begin([{ log, head: head(3) }])
    for (const seq of [12, 4]) mark.note(log, { epoch: 1, seq })
    // not closed: a program that was killed leaves it so
    expect(await found()).toEqual({ positions: new Map([['530000/entity/all', { epoch: 1, seq: 12 }]]), trusted: true })
  })

  it('is written only once sealing begins, so that a restored node cannot make its own doubts disappear', async () => {
    await seal(5)
    const before = await readFile(path)
    await copyFile(path, `${path}.backup`)
    await rename(`${path}.backup`, path)
    {
      using mark = await openMark(path)
      mark.note(log, { epoch: 1, seq: 9 })
    }
    expect(await readFile(path)).toEqual(before)
    expect(await found()).toMatchObject({ trusted: false })
  })

  it('is not trusted where it may have come out of a backup: another file, or one whose time was set back', async () => {
    await seal(5)
    await copyFile(path, `${path}.copy`)
    await rm(path)
    await rename(`${path}.copy`, path)
    expect(await found()).toMatchObject({ trusted: false })
    await seal(5)
    expect(await found()).toMatchObject({ trusted: true })
    await utimes(path, new Date(0), new Date(0))
    expect(await found()).toMatchObject({ trusted: false, positions: new Map([['530000/entity/all', { epoch: 1, seq: 5 }]]) })
  })

  it('is not trusted after the machine started anew', async () => {
    await seal(5)
    const text = await readFile(path, 'utf8')
    const { createHash } = await import('node:crypto')
    const body = text.slice(text.indexOf(' ') + 1, -1).replace(/"boot":"[^"]*"/, '"boot":"another"')
    await writeFile(path, `${createHash('sha256').update(body).digest('hex')} ${body}\n`)
    expect(await found()).toMatchObject({ trusted: false })
  })

  it('counts as none where it is torn', async () => {
    await seal(5)
    await writeFile(path, (await readFile(path, 'utf8')).replace(',5]', ',4]'))
    expect(await found()).toBeNull()
  })

  it('stops sealing where the database was set back under a living node', async () => {
    using mark = await openMark(path)
    mark.begin([{ log, head: head(5) }])
    mark.demand(log, head(5))
    expect(() => mark.demand(log, head(4))).toThrow(/SEALING_WAITS.*set back/)
    expect(() => mark.demand(log, null)).toThrow(/SEALING_WAITS/)
  })
})
