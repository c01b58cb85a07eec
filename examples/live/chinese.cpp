#include "examples/live/chinese.h"

namespace gradus::live {

const terminal::Phrases& chinese() {
  // clang-format off
  static const terminal::Phrases phrases = {
    {"a number", "一个数"},
    {"expected a number, nan, inf or -inf, got {}", "应为数字、nan、inf 或 -inf，得到 {}"},
    {"{}: '{}' is missing or is no such value", "{}：缺少“{}”，或其值不合要求"},
    {"expected an object", "应为一个对象"},
    {"there is no '{}'", "没有“{}”"},
    {"no lesson is open", "尚未打开任何一课"},
    {"there are lessons 1 to 6, got {}", "共有第 1 至第 6 课，得到 {}"},
    {"{}: expected a tensor of floats", "{}：应为浮点数张量"},
    {"set: expected an element of {}, got {}", "set：共有 {} 个元素，得到下标 {}"},
    {"nothing has been changed", "没有任何改动"},
    {"nothing is open", "没有展开任何运算"},
    {"this computation calls no {} of one input", "这次计算没有用到单个输入的 {}"},
    {"there are {} runs already", "已经有 {} 次训练"},
    {"there is no run {}", "没有第 {} 次训练"},
    {"there is no exercise {}", "没有第 {} 道练习"},
    {"only the engine in a browser knows its memory", "只有浏览器中的引擎知道自己占用的内存"},

    {"expected 'key: value'", "应为“键: 值”"},
    {"'{}' says nothing", "“{}”后面没有内容"},
    {"expected title, task, y, an input of one letter that is not g, find, answer or hint, got '{}'",
     "应为 title、task、y、find、answer、hint，或 g 以外单个字母的输入，得到“{}”"},
    {"the exercise that ends here has no '{}'", "在此结束的练习缺少“{}”"},
    {"find: '{}' is not an input of the exercise that ends here", "find：“{}”不是在此结束的练习的输入"},
    {"the answer of the exercise that ends here is wrong: {}", "在此结束的练习，其答案不正确：{}"},
    {"exercises: expected at most {} bytes, got {}", "练习：最多 {} 字节，得到 {} 字节"},
    {"expected at most {} exercises", "最多 {} 道练习"},
    {"exercises, line {}: {}", "练习，第 {} 行：{}"},
    {"exercises: there is none in this file", "练习：文件里一道也没有"},
    {"expected a number, a list such as [1, 2], or rows of one length such as [[1, 2], [3, 4]], got {}",
     "应为一个数、形如 [1, 2] 的列表，或各行等长、形如 [[1, 2], [3, 4]] 的数组，得到 {}"},

    {"expected an expression of at most {} bytes, got {}", "表达式最多 {} 字节，得到 {} 字节"},
    {"'{}': expected a number, a name or one of + - * / ^ @ ' ( ) ,", "“{}”：应为数字、名字，或 + - * / ^ @ ' ( ) , 之一"},
    {"expected an operator or the end before '{}'", "“{}”之前应为运算符，或到此结束"},
    {"expected '{}' before '{}'", "应在“{1}”之前有“{0}”"},
    {"expected '{}' at the end", "末尾应有“{}”"},
    {"expected at most {} levels of parentheses", "括号最多 {} 层"},
    {"expected at most {} levels of powers", "乘方最多 {} 层"},
    {"expected a number, a name or ( at the end", "末尾应为数字、名字或 ("},
    {"expected a number, a name or ( before '{}'", "“{}”之前应为数字、名字或 ("},
    {"'{}' is unknown here; expected {}, or a function such as sigmoid", "这里不认识“{}”；应为 {}，或 sigmoid 这样的函数"},
    {"{} takes {} or {} arguments, got {}", "{} 需要 {} 或 {} 个参数，得到 {} 个"},
    {"{} takes {} arguments, got {}", "{} 需要 {} 个参数，得到 {} 个"},
    {"{} takes 1 argument, got {}", "{} 需要 1 个参数，得到 {} 个"},
    {"^: expected a number as the exponent", "^：指数应为一个数"},
    {"{}: expected an axis such as 0 or -1, got {}", "{}：应为 0 或 -1 这样的轴，得到 {}"},
    {"{}: expected an elementwise function: each element of the result from one of the input",
     "{}：应为逐元素函数：结果的每个元素只由输入的一个元素得到"},
    {"expected a function of one to eight names, got {}", "函数应有一至八个自变量，得到 {} 个"},
    {"expected a function of {}, got a number", "应为 {} 的函数，得到一个数"},

    {"optimizer: expected SGD, momentum, RMSprop or Adam, got '{}'", "优化器：应为 SGD、momentum、RMSprop 或 Adam，得到“{}”"},
    {"clip: expected at least 0, got {}", "梯度裁剪：应不小于 0，得到 {}"},
    {"there is no parameter that a gradient reaches: nothing to train", "没有梯度到达任何参数：无可训练"},
    {"expected one number, the loss, as the last value of the computation", "计算的最后一个值应为一个数，即损失"},
    {"step {} is not kept", "第 {} 步没有保留"},
    {"model: expected base64", "模型：应为 base64"},
    {"there is no translator yet: train one first", "还没有翻译器：请先训练一个"},
    {"the sentence is not valid UTF-8", "句子不是有效的 UTF-8"},
    {"the sentence is empty", "句子是空的"},
  };
  // clang-format on
  return phrases;
}

}  // namespace gradus::live
