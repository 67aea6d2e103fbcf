import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { quarantineGround } from './quarantine-ground.ts'
import { legalPerson } from './rows.ts'
import { ask, field, ingestBytes, ingestRows, startTestbed, type Testbed } from './testbed.ts'

let bed: Testbed
const { node, standing, release, itemOf } = quarantineGround(() => bed)
beforeAll(async () => {
  bed = await startTestbed()
})
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
})

const HEADING = '企业名称,统一社会信用代码,注册日期,企业类型,注册资金,经营范围,所在省份,地区'
const rowOf = (name: string, code: string, date: string): string =>
  `${name},${code},${date},有限责任公司,100万人民币,建筑,云南省,昆明市`
const entity = async (key: string) => field((await ask(bed, '530000', `/v1/entity/${key}`)).body, 'items', 0, 'body', 'name')

describe('a row in quarantine', () => {
  it('is read again with a mended mapping, and stays with its reason while that refuses it too', async () => {
    const shipped = await readFile(fileURLToPath(new URL('../../adapters/csv/entities.mapping.yaml', import.meta.url)), 'utf8')
    const strict = shipped.replace('scope: { from: 经营范围, as: text }', 'scope: { from: 经营范围, as: date }')
    const file = `${HEADING}\n${rowOf('丙公司', '91530100MA6K00003X', '2020-01-02')}\n`
    expect(await ingestBytes(bed, '530000', 'csv', file, strict)).toMatchObject({ rows: 1, refused: 1 })
    const [item] = await standing('ROW_FIELD_INVALID')
    const ids = [item?.id ?? 0]
    expect(await release('530000', { ids })).toMatchObject({
      released: 0,
      stay: 1,
      items: [{ kind: 'row', code: 'ROW_FIELD_INVALID' }],
    })
    const stored = await fetch(`${bed.node('530000').url}/v1/mappings`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await bed.token('530000')}`, 'content-type': 'application/yaml' },
      body: shipped,
    })
    const { digest } = (await stored.json()) as { digest: string }
    expect(await release('530000', { ids, mapping: digest })).toMatchObject({
      released: 1,
      items: [{ outcome: expect.stringContaining('sealed as version 1') }],
    })
    expect(await entity('91530100MA6K00003X')).toBe('丙公司')
  })

  it('never puts an older word over what was taken in since', async () => {
    const bad = { ...legalPerson('91530100MA6K00004X', '旧名'), TABLE: 'LEGAL_PERSON' }
    const refused = { ...bad, DATA: { ...bad.DATA, LEGAL_ROLE: undefined, LEGAL_NAME: '' } }
    expect(await ingestRows(bed, '530000', [refused])).toMatchObject({ refused: 1 })
    expect(await ingestRows(bed, '530000', [legalPerson('91530100MA6K00004X', '新名')])).toMatchObject({ sealed: 1 })
    const [item] = await standing('ROW_FIELD_MISSING')
    // what the row would need is mended in what was kept, as a lifted limit would let it pass
    const content = Buffer.from(JSON.stringify(bad))
    await node()
      .updateTable('quarantine')
      .set({ content })
      .where('id', '=', item?.id ?? 0)
      .execute()
    expect(await release('530000', { ids: [item?.id ?? 0] })).toMatchObject({
      released: 1,
      items: [{ outcome: expect.stringContaining('superseded') }],
    })
    expect(await entity('91530100MA6K00004X')).toBe('新名')
  })

  it('that was masked before it was kept cannot be read again', async () => {
    const row = legalPerson('91530100MA6K00005X', '身份证 11010519491231002X 公司')
    expect(await ingestRows(bed, '530000', [row])).toMatchObject({ refused: 1 })
    const [item] = await standing('ROW_FIELD_INVALID')
    expect(await release('530000', { ids: [item?.id ?? 0] })).toMatchObject({ stay: 1, items: [{ code: 'QUARANTINE_NOT_WHOLE' }] })
    expect(await itemOf(item?.id ?? 0)).toMatchObject({ code: 'ROW_FIELD_INVALID', released_at: null })
  })

  it('that was released stands again when it is refused again', async () => {
    const row = { ...legalPerson('91530100MA6K00006X', ''), DATA: { LEGAL_CODE: '91530100MA6K00006X', REGION_CODE: '530100' } }
    await ingestRows(bed, '530000', [row])
    const [item] = await standing('ROW_FIELD_MISSING')
    await node()
      .updateTable('quarantine')
      .set({ released_at: new Date(), outcome: '-', content: null })
      .where('id', '=', item?.id ?? 0)
      .execute()
    await ingestRows(bed, '530000', [row])
    expect(await itemOf(item?.id ?? 0)).toMatchObject({ released_at: null, outcome: null, content: expect.any(Buffer) })
  })
})

describe('the door to release', () => {
  it("asks for the operator's token, and for what to release", async () => {
    const url = `${bed.node('530000').url}/v1/quarantine/release`
    const json = { 'content-type': 'application/json' }
    expect((await fetch(url, { method: 'POST', headers: json, body: '{"ids":[1]}' })).status).toBe(401)
    const headers = { ...json, authorization: `Bearer ${await bed.token('530000')}` }
    expect((await fetch(url, { method: 'POST', headers, body: '{}' })).status).toBe(400)
  })
})
