import { expect, test } from 'vitest'
import { lastWordsOf } from './last-words.ts'

test('a log that ends in an error is quoted from its sentences, without the stacks behind them', () => {
  const log =
    '{"msg":"a"}\nCONFIG_INVALID: The configuration is not valid. 配置无效。\n  HUTONG_NODE_CODE is required\n  {\n    "stack": []\n  }\n'
  expect(lastWordsOf(log)).toBe('CONFIG_INVALID: The configuration is not valid. 配置无效。\n  HUTONG_NODE_CODE is required')
})

test('another log is quoted by its last lines, none of them long', () => {
  const words = lastWordsOf(`${Array.from({ length: 20 }, (_, i) => `line ${i}`).join('\n')}\n${'x'.repeat(1000)}\n`).split('\n')
  expect(words.length).toBe(6)
  expect(words[4]).toBe('line 19')
  expect(words[5]?.length).toBe(241)
})
