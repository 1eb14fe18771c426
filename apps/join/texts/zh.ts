/** What the apps say in Simplified Chinese: the page of an invitation. */
import type { en } from './en.ts';

export const zh = {
  'join.title': '{employer} 邀请你',
  'join.role': '{name}，你的身份是{role}。',
  'join.until': '邀请有效期至 {time}。',
  'join.what':
    '现在你的设备会创建一个通行密钥：之后用指纹、面容或 PIN 码登录。你之前在这里的通行密钥将失效。',
  'join.make': '创建我的通行密钥',
  'join.none': '这里没有邀请',
  'join.none.lead': '请打开收到的完整链接。',
  'join.over': '邀请已失效',
  'join.over.lead': '邀请已被使用或已过期。请负责人重新邀请你。',
  'join.again': '重试',
  'join.welcome': '欢迎，{name}',
  'join.can': '你已登录。',
  'join.till': '打开收银台',
  'join.console': '打开控制台',
} satisfies Record<keyof typeof en, string>;
