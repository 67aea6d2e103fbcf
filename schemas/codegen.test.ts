import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { differences, generate, generateAll } from './codegen.ts'

const root = import.meta.dirname

test('the committed types are what the schemas give, and say in line 1 that they are generated', async () => {
  const files = await generateAll(root)
  expect(files.size).toBe(20)
  expect(await differences(files, join(root, 'generated'))).toEqual([])
  for (const text of files.values()) expect(text).toMatch(/^\/\/ Generated from .*\.schema\.json by `npm run codegen`/)
})

test('an edited, a missing and a left-over file are each named', async () => {
  const files = await generateAll(root)
  const folder = await mkdtemp(join(tmpdir(), 'hutong-codegen-'))
  try {
    for (const [name, text] of files)
      if (name !== 'head.ts') await writeFile(join(folder, name), name === 'trade.ts' ? `${text}\n` : text)
    await writeFile(join(folder, 'old.ts'), '')
    expect(await differences(files, folder)).toEqual(['head.ts', 'old.ts', 'trade.ts'])
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('private keywords do not reach the types, properties called like keywords do', async () => {
  const schema = {
    title: 'Small thing',
    type: 'object',
    additionalProperties: false,
    properties: { title: { type: 'string', 'x-zh': '标题' } },
  }
  const text = await generate(schema, 'wire/small.schema.json')
  expect(text).toContain('export interface SmallThing')
  expect(text).toContain('title?: string')
  expect(text).not.toContain('标题')
})
