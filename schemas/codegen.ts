/**
 * Makes the TypeScript types of every schema in `wire/` and `datasets/`: one file each in `generated/`, committed; and the published
 * documents of the unified interface in `interfaces/generated/`. With `--check` nothing is written: all of them are made in memory and
 * compared, so that neither a source nor a generated file changes alone.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { compile } from 'json-schema-to-typescript'
import { documentFiles } from './interfaces/documents.ts'
import type { JsonSchema } from './schema-files.ts'
import { mapSchema } from './schema-parts.ts'

const ROOMS = ['datasets', 'wire'] as const
const SUFFIX = '.schema.json'
const COMMAND = 'npm run codegen'

const pascalCase = (title: string): string =>
  title.replace(/(?:^|[^A-Za-z0-9]+)([A-Za-z0-9])/g, (_, letter: string) => letter.toUpperCase())

/**
 * What the types need of a schema: no private keywords, no titles of parts, and no bounds (they would become tuples). A property that
 * a part merely allows (`true`) is described by the schema around it.
 */
const typed = (schema: JsonSchema): JsonSchema =>
  mapSchema(schema, part =>
    Object.fromEntries(
      Object.entries(part)
        .filter(
          ([keyword]) =>
            !keyword.startsWith('x-') &&
            !['$schema', '$id', 'title', 'minItems', 'maxItems', 'if', 'then', 'else'].includes(keyword),
        )
        .map(([keyword, value]) => [keyword, keyword === 'properties' ? withoutAllowed(value as JsonSchema) : value]),
    ),
  )

const withoutAllowed = (properties: JsonSchema): JsonSchema =>
  Object.fromEntries(Object.entries(properties).filter(([, part]) => part !== true))

/** The types of one schema; the only export is the type that the schema's title names. */
export async function generate(schema: JsonSchema & { readonly title: string }, source: string): Promise<string> {
  const text = await compile(typed(schema), pascalCase(schema.title), {
    bannerComment: `// Generated from ${source} by \`${COMMAND}\`. Do not edit.`,
    additionalProperties: false,
    format: true,
    style: { semi: false, singleQuote: true, printWidth: 132 },
  })
  return text
}

/** File name → text, for all schemas below `root` (the folder of the schemas). */
export async function generateAll(root: string): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>()
  for (const room of ROOMS) {
    for (const file of (await readdir(join(root, room))).filter(name => name.endsWith(SUFFIX)).sort()) {
      const schema = JSON.parse(await readFile(join(root, room, file), 'utf8')) as JsonSchema & { title: string }
      files.set(`${file.slice(0, -SUFFIX.length)}.ts`, await generate(schema, `${room}/${file}`))
    }
  }
  return files
}

/** Names of the files in `folder` that differ from what the schemas give, are missing, or should not be there. */
export async function differences(files: ReadonlyMap<string, string>, folder: string): Promise<readonly string[]> {
  const present = await readdir(folder).catch((): string[] => [])
  const names = [...new Set([...files.keys(), ...present])].sort()
  const texts = await Promise.all(names.map(name => readFile(join(folder, name), 'utf8').catch((): null => null)))
  return names.filter((name, index) => texts[index] !== files.get(name))
}

async function write(files: ReadonlyMap<string, string>, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const name of await differences(files, folder)) {
    const text = files.get(name)
    await (text === undefined ? rm(join(folder, name)) : writeFile(join(folder, name), text))
  }
}

async function main(root: string, check: boolean): Promise<number> {
  const folders = { generated: await generateAll(root), 'interfaces/generated': documentFiles() }
  let different = 0
  for (const [folder, files] of Object.entries(folders)) {
    if (!check) {
      await write(files, join(root, folder))
      continue
    }
    for (const name of await differences(files, join(root, folder))) {
      different += 1
      process.stderr.write(`schemas/${folder}/${name} is not what its source gives; mend it with: ${COMMAND}\n`)
    }
  }
  return different === 0 ? 0 : 1
}

if (import.meta.main) process.exitCode = await main(import.meta.dirname, process.argv.includes('--check'))
